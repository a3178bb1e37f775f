"""The stages of a round. Each finds out by itself what is there already, so a killed run is simply started again.

    search_problems    trees of all training problems
    build_data         SFT rows and preference pairs from the trees
    make_base          (once) tokenizer and base model
    fit_policy         from the base model, always (appendix A.1)
    fit_ppm            from the policy of the same round (section 3.4.1)
    evaluate_models    held-out problems, System 1 and System 2
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import time
from collections.abc import Sequence

import jax

from rstar_jax.datasets.build import build
from rstar_jax.datasets.held_out import split_pairs
from rstar_jax.datasets.outcomes import by_problem
from rstar_jax.datasets.packing import pack_sft, tokenise_sft
from rstar_jax.datasets.pair_packing import group_pairs, pack_pairs
from rstar_jax.evaluation.aggregate import EvaluationResult
from rstar_jax.evaluation.methods import SamplingConfig
from rstar_jax.evaluation.run import EvaluationConfig, Method, evaluate
from rstar_jax.evolution.base_model import PublishedBase, import_base, train_base
from rstar_jax.evolution.lab import Lab
from rstar_jax.evolution.never_solved import write_never_solved
from rstar_jax.evolution.rounds import Round
from rstar_jax.files import read_jsonl, sha256_of
from rstar_jax.models.store import is_finished, load_model
from rstar_jax.problems.problem import Problem
from rstar_jax.search import runner
from rstar_jax.search.mcts import extend, search
from rstar_jax.search.progress import make_progress, say
from rstar_jax.search.protocols import Proposer, Scorer
from rstar_jax.search.store import iterate_trees
from rstar_jax.search.trajectories import n_correct
from rstar_jax.search.tree import Tree
from rstar_jax.training.ppm import train_ppm
from rstar_jax.training.sft import train_policy
from rstar_jax.trajectory.prompts import policy_prompt
from rstar_jax.trajectory.tokenizer import train_tokenizer


async def search_problems(lab: Lab, round: Round) -> None:
    """Search every training problem with the models of the round before, unless the round is past that."""
    if _has_data(lab, round):
        return
    start, before = time.monotonic(), round.number - 1
    async with contextlib.AsyncExitStack() as stack:
        if round.proposer == "bootstrap":
            proposer: Proposer = await stack.enter_async_context(lab.bootstrap())
        else:
            _, proposer = await stack.enter_async_context(lab.policy(before))
        scorer = await stack.enter_async_context(lab.ppm(before)) if round.search.needs_scorer else None
        meter = lab.meter()
        await runner.run(
            lab.problems[0],
            lambda problem: grow(lab, round, problem, proposer, scorer),
            lab.run.trees(round.number),
            fingerprint=_fingerprint(lab, round),
            concurrency=lab.config.concurrency,
            label=f"round {round.number} search",
            status=meter,
            budget=round.budget,
        )
    left_out = runner.n_left_out(lab.run.trees(round.number))
    if left_out:
        say(f"round {round.number} search: {left_out:,} problems were left out, as the budget of the round is spent")
    lab.note(
        round.number, "search", **meter.totals() | {"seconds": time.monotonic() - start, "problems_left_out": left_out}
    )


async def grow(
    lab: Lab, round: Round, problem: Problem, proposer: Proposer, scorer: Scorer | None
) -> Sequence[Tree]:
    """The trees of a problem; while none of them has solved it, each gets more rollouts, then there are more trees
    (sections 3.4.1, 3.4.2)."""
    grader, seed = lab.graders.strict, lab.config.seed

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


def _has_data(lab: Lab, round: Round) -> bool:
    return (lab.run.round(round.number) / "metrics" / "data.json").exists()


def build_data(lab: Lab, round: Round) -> None:
    """SFT rows and preference pairs, with what was chosen and why."""
    folder = lab.run.data(round.number)
    if _has_data(lab, round):
        return
    trees = by_problem(iterate_trees(lab.run.trees(round.number) / runner.TREES))
    counts = build(trees, folder, lab.config.sft_rule, lab.config.pair_rule)
    never = write_never_solved(lab.run, round.number)
    lab.note(round.number, "data", **dataclasses.asdict(counts) | {"never_solved": never})
    say(
        f"round {round.number} data: {counts.sft_rows} SFT rows, {counts.pair_rows} pairs; "
        f"{never} problems that no round has solved so far (data/never_solved.jsonl)"
    )


def make_base(lab: Lab) -> None:
    """The base model: a published one, or a tokenizer learned from the questions and the bootstrap model's solutions,
    and a model trained with it."""
    base = lab.config.base
    if is_finished(lab.run.base):
        return
    if isinstance(base, PublishedBase):
        import_base(base, lab.config.engine.max_length, lab.run.base, lab.mesh)
        return
    rows = read_jsonl(lab.run.data(1) / "sft.jsonl")
    questions = [problem.question for problem in lab.problems[0]]
    texts = [policy_prompt(question) for question in questions] + [row["response"] for row in rows]
    tokenizer = train_tokenizer(texts, base.vocab_size, superwords=True, digits=2)
    tokenizer.save(lab.run.base)
    train_base(questions, base, lab.model_config, lab.run.base, tokenizer)


def fit_policy(lab: Lab, round: Round) -> None:
    folder = lab.run.policy(round.number)
    if is_finished(folder):
        return
    rows, config = read_jsonl(lab.run.data(round.number) / "sft.jsonl"), _seeded(lab, lab.config.policy_training)
    data = pack_sft(tokenise_sft(rows, lab.tokenizer), config.row_length, config.seed)
    base = load_model(lab.run.base, lab.mesh)[1]
    train_policy(data, lab.model_config, folder, lab.tokenizer, init=base, config=config)


def fit_ppm(lab: Lab, round: Round) -> None:
    folder = lab.run.ppm(round.number)
    if is_finished(folder):
        return
    files = [lab.run.data(number) / "pairs.jsonl" for number in lab.config.pair_rounds(round.number)]
    config, rule = _seeded(lab, lab.config.ppm_training), lab.config.ppm_loss
    sides = split_pairs((row for file in files for row in read_jsonl(file)), lab.config.ppm_held_out, lab.config.seed)
    data, judged = (pack_pairs(group_pairs(rows, lab.tokenizer), config.row_length, config.seed) for rows in sides)
    policy, held_out = load_model(lab.run.policy(round.number), lab.mesh)[1], judged if judged.n_rows else None
    train_ppm(data, lab.model_config, folder, lab.tokenizer, init=policy, config=config, rule=rule, held_out=held_out)


async def evaluate_models(
    lab: Lab, round_number: int, policy: int, ppm: int | None, methods: tuple[Method, ...]
) -> EvaluationResult:
    """Policy of one round with the PPM of another on the held-out problems."""
    name = f"SLM-r{policy}" if policy else "base"
    name = name if ppm is None else f"{name}, PPM-r{ppm}"
    plan, problems = lab.config.evaluation, lab.problems[1]
    config = EvaluationConfig(
        methods=methods,
        models=name,
        n_trajectories=plan.n_trajectories,
        search=plan.search,
        sampling=SamplingConfig(max_steps=plan.search.max_depth),
        seed=lab.config.seed,
        concurrency=lab.config.concurrency,
        score_samples=ppm is not None,
    )
    async with contextlib.AsyncExitStack() as stack:
        greedy, sampling = await stack.enter_async_context(lab.policy(policy))
        scorer = await stack.enter_async_context(lab.ppm(ppm)) if ppm is not None else None
        folder = lab.run.evaluation(round_number, name.replace(", ", "-"))
        progress = make_progress(len(problems), 0, f"evaluate {name}", lab.meter())
        try:
            return await evaluate(
                problems,
                config,
                greedy,
                sampling,
                scorer,
                lab.executor,
                lab.graders,
                folder,
                on_problem=lambda done, total: progress.advance(False, 0),
            )
        finally:
            progress.close()


def _seeded(lab: Lab, config):
    return dataclasses.replace(config, seed=lab.config.seed)


def _fingerprint(lab: Lab, round: Round) -> str:
    """What trees depend on: settings, problems, and the models before."""
    models = [lab.run.policy(round.number - 1), lab.run.ppm(round.number - 1)]
    what = dataclasses.asdict(round)
    del what["budget"]  # on it depends which problems have trees, and no tree
    parts = [
        json.dumps(what, sort_keys=True),
        json.dumps(dataclasses.asdict(lab.config.sampling), sort_keys=True),
        json.dumps(dataclasses.asdict(lab.config.bootstrap), sort_keys=True) if round.number == 1 else "",
        str(lab.config.seed),
        sha256_of(lab.run.problems / "train.jsonl"),
        *(sha256_of(model / "run.json") for model in models if round.number > 1 and (model / "run.json").exists()),
    ]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def set_up_jax(cache: str | None) -> None:
    """Keep compiled programs between starts; must run before anything is compiled."""
    if cache is not None:
        jax.config.update("jax_compilation_cache_dir", cache)
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.5)
