"""The search of a round: trees of all training problems, by the models of the round before."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import hashlib
import json
import time
from collections.abc import AsyncIterator, Sequence
from typing import Any

from rstar_jax.errors import InputError
from rstar_jax.evolution.config import EvolutionConfig
from rstar_jax.evolution.lab import Lab
from rstar_jax.evolution.rounds import Round
from rstar_jax.evolution.run_dir import RunDir
from rstar_jax.files import sha256_of
from rstar_jax.problems.problem import Problem
from rstar_jax.search import runner, shards
from rstar_jax.search.mcts import extend, search
from rstar_jax.search.progress import say
from rstar_jax.search.protocols import Proposer, Scorer
from rstar_jax.search.runner import Grow
from rstar_jax.search.shards import Shard
from rstar_jax.search.trajectories import n_correct
from rstar_jax.search.tree import Tree

_SHARDS_PER_PROCESS = 4  # at least, so that hosts are done at about the same time


async def search_problems(lab: Lab, round: Round) -> None:
    """Search this process's share of the training problems, unless the round is past that."""
    if lab.run.has_data(round.number):
        return
    share, start = lab.share, time.monotonic()
    found = shards_of(lab.config, lab.run, lab.problems[0], round, share.of)
    work = shards.survey(found[share.index :: share.of])
    if work.missing:
        async with growing(lab, round) as grow:
            meter, label = lab.meter(), f"round {round.number} search"
            options = {"concurrency": lab.config.concurrency, "budget": round.budget, "share": share}
            await runner.run(work, grow, label=label, status=meter, **options)
        lab.note(round.number, "search", **meter.totals() | {"seconds": time.monotonic() - start})
    if not shards.is_over(lab.run.trees(round.number), round.budget):
        say(f"round {round.number} search: share {share} is done; those of other processes are not yet")


@contextlib.asynccontextmanager
async def growing(lab: Lab, round: Round) -> AsyncIterator[Grow]:
    """What grows the trees of a problem in this round; its models are loaded."""
    before = round.number - 1
    if round.proposer == "none":
        raise InputError(
            f"{lab.run.root}: round {round.number} searches nothing, it has the data of another run; "
            "experiments/start_from.py brings them"
        )
    async with contextlib.AsyncExitStack() as stack:
        if round.proposer == "bootstrap":
            proposer: Proposer = await stack.enter_async_context(lab.bootstrap())
        else:
            _, proposer = await stack.enter_async_context(lab.policy(lab.run.policy(before)))
        ppm = lab.scorer(lab.run.ppm(before))
        scorer = await stack.enter_async_context(ppm) if round.search.needs_scorer else None
        yield functools.partial(grow, lab, round, proposer=proposer, scorer=scorer)


async def grow(
    lab: Lab, round: Round, problem: Problem, proposer: Proposer, scorer: Scorer | None
) -> Sequence[Tree]:
    """The trees of a problem; while none of them has solved it, each gets more rollouts, then there are more trees
    (sections 3.4.1, 3.4.2)."""
    grader, seed = getattr(lab.graders, lab.config.grader), lab.config.seed

    async def plant(index: int) -> Tree:
        return await search(problem, round.search, proposer, lab.executor, grader, scorer, seed, index)

    trees: list[Tree] = []
    while len(trees) < round.trees and not (round.stop_solved and any(map(n_correct, trees))):
        trees.append(await plant(len(trees)))
    for rollouts in round.escalation:
        if any(map(n_correct, trees)):
            break
        for tree in trees:
            await extend(tree, rollouts - tree.rollouts, proposer, lab.executor, grader, scorer)
    while len(trees) < round.trees + round.more_trees and not any(map(n_correct, trees)):
        trees.append(await plant(len(trees)))
    return trees


def shards_of(
    config: EvolutionConfig, run: RunDir, problems: Sequence[Problem], round: Round, processes: int = 1
) -> list[Shard]:
    """Of a round's search, which is begun if it was not; small enough that each of some processes gets several.

    Raises InputError as `shards.begin`.
    """
    size = max(1, min(config.shard_problems, len(problems) // (_SHARDS_PER_PROCESS * processes)))
    return shards.begin(run.trees(round.number), problems, fingerprint(config, run, round), size)


def fingerprint(config: EvolutionConfig, run: RunDir, round: Round) -> str:
    """What trees depend on besides their problems: settings, and the models before."""
    models = [run.policy(round.number - 1), run.ppm(round.number - 1)]
    what = dataclasses.asdict(round)
    del what["budget"]  # on it depends which problems have trees, and no tree
    parts = [
        json.dumps(what, sort_keys=True),
        json.dumps([dataclasses.asdict(config.sampling), config.grader, dataclasses.asdict(config.frame)]),
        str(config.serve_in),
        json.dumps(_without_address(config.bootstrap), sort_keys=True) if round.number == 1 else "",
        str(config.seed),
        *(sha256_of(model / "run.json") for model in models if round.number > 1 and (model / "run.json").exists()),
    ]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def _without_address(bootstrap: Any) -> dict[str, Any]:
    """A bootstrap model's settings, but not where it is served."""
    return {name: value for name, value in dataclasses.asdict(bootstrap).items() if name != "base_url"}
