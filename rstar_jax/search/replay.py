"""Replays golden trees with our search and says where the first difference is.

    python -m rstar_jax.search.replay FILE...

Code is really run, by the executor of released semantics. Exit status: 0 if all files agree, 1 if some
differ, 2 if some cannot be read.
"""

from __future__ import annotations

import argparse
import asyncio
import math
import pathlib
import sys
from collections.abc import Sequence
from typing import Any

from rstar_jax.errors import run_main
from rstar_jax.search import goldens
from rstar_jax.search.answers import Extract
from rstar_jax.search.goldens import BadGolden, Golden, NotRecorded
from rstar_jax.search.mcts import search
from rstar_jax.search.protocols import Executor
from rstar_jax.search.trajectories import best_of_rollouts
from rstar_jax.search.tree import ROOT, NodeKind, Tree, q, tag

TOLERANCE = 1e-9
FAILURE_ANSWERS: dict[NodeKind, str] = {  # what the released code puts in place of an answer, verbatim
    "error": "Too many consecutive steps have code errors.",
    "too_many_steps": "Fail to sove the problem within limited steps.",
}


async def replay(golden: Golden, executor: Executor, extract: Extract | None = None) -> Tree:
    """Run the recorded search again. Raises NotRecorded as soon as it leaves the recorded run."""
    return await search(
        golden.problem,
        goldens.config_of(golden),
        goldens.TableProposer(golden),
        executor,
        goldens.StringGrader(),
        goldens.TableScorer(golden),
        extract=extract,
    )


def first_difference(golden: Golden, tree: Tree) -> str | None:
    """The first thing that differs, node by node in breadth-first order, or None."""
    ours = [_as_recorded(tree, node) for node in _breadth_first(tree)]
    for mine, theirs in zip(ours, golden.nodes, strict=False):
        for name in goldens.NODE_FIELDS:
            if not _same(mine[name], theirs[name]):
                return f"node {theirs['tag']}: {name} is {mine[name]!r}, recorded {theirs[name]!r}"
    if len(ours) != len(golden.nodes):
        longer, who = (ours, "replayed") if len(ours) > len(golden.nodes) else (golden.nodes, "recorded")
        extra = longer[min(len(ours), len(golden.nodes))]["tag"]
        return f"{len(ours)} nodes, recorded {len(golden.nodes)}; the first that is only {who} is {extra}"
    rollouts = _rollout_answers(tree)
    for name in goldens.ROLLOUT_FIELDS:
        if not _same(rollouts[name], golden.rollout_answers[name]):
            return f"rollout {name} are {rollouts[name]!r}, recorded {golden.rollout_answers[name]!r}"
    return None


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m rstar_jax.search.replay",
        description="Replay golden trees; print the first difference of each.",
    )
    parser.add_argument("files", nargs="+", metavar="FILE", type=pathlib.Path)
    return asyncio.run(_replay_files(parser.parse_args(arguments).files))


async def _replay_files(files: list[pathlib.Path]) -> int:
    from rstar_jax.execution import ExecutorConfig, ExecutorPool  # search itself knows the protocol only

    status = 0
    async with ExecutorPool(ExecutorConfig(semantics="released")) as executor:
        for file in files:
            status = max(status, await _replay_file(file, executor))
    return status


async def _replay_file(file: pathlib.Path, executor: Executor) -> int:
    try:
        golden = goldens.parse(file.read_text(encoding="utf-8"))
        tree = await replay(golden, executor)
    except OSError as error:
        print(f"{file} cannot be read: {error.strerror}.", file=sys.stderr)
        return 2
    except (BadGolden, UnicodeDecodeError) as error:
        print(f"{file} is not a golden tree: {error}.", file=sys.stderr)
        return 2
    except NotRecorded as leaving:
        difference: str | None = str(leaving)
    else:
        difference = first_difference(golden, tree)
    print(f"{file}: {difference or f'agrees, {len(golden.nodes)} nodes'}")
    return 0 if difference is None else 1


def _breadth_first(tree: Tree) -> list[int]:
    nodes = [ROOT]
    for node in nodes:  # grows while we walk over it
        nodes.extend(tree.children[node])
    return nodes


def _as_recorded(tree: Tree, node: int) -> dict[str, Any]:
    return {
        "tag": tag(tree, node),
        "text": tree.text[node],
        "final_answer": FAILURE_ANSWERS.get(tree.kind[node], tree.answer[node]),
        "terminal": tree.closed[node],
        "value": 0.0 if math.isnan(tree.first_value[node]) else tree.first_value[node],
        "q": q(tree, node),
        "visits": tree.visits[node],
        "depth": tree.depth[node],
    }


def _rollout_answers(tree: Tree) -> dict[str, list[Any]]:
    best = best_of_rollouts(tree) if tree.config.terminal == "ppm" else []
    return {
        "answers": [one.answer for _, one in best],
        "judgements": [one.correct for _, one in best],
        "value_estimate": [one.ppm for _, one in best],
        "rollout_indexs": [rollout for rollout, _ in best],
    }


def _same(mine: Any, theirs: Any) -> bool:
    if isinstance(mine, list):
        return len(mine) == len(theirs) and all(map(_same, mine, theirs))
    if isinstance(mine, float) and isinstance(theirs, int | float):
        return abs(mine - theirs) <= TOLERANCE
    return mine == theirs


if __name__ == "__main__":
    run_main(main)
