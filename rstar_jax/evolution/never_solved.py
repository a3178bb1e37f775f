"""Problems that no round has solved so far, for somebody to check their labels.

The authors looked at 20 random ones after round 4: 19 had wrong labels, and they stopped (section 3.4.2). A label is
most doubtful where the searches agree on another answer, so these come first.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Any

from rstar_jax.datasets.outcomes import by_problem
from rstar_jax.evolution.run_dir import RunDir
from rstar_jax.files import iterate_jsonl, write_jsonl
from rstar_jax.grading import vote
from rstar_jax.search.shards import trees_of
from rstar_jax.search.trajectories import trajectories
from rstar_jax.search.tree import Tree

NEVER_SOLVED = "never_solved.jsonl"


def solved_ids(selection_rows: Iterable[dict[str, Any]]) -> set[str]:
    """Of the rows of a `selection.jsonl`: problems with a correct trajectory."""
    return {row["problem"] for row in selection_rows if row["correct"]}


def doubt(trees: Sequence[Tree]) -> dict[str, Any]:
    """A problem with the answer that most of its trajectories give in place of the label; None if there are none.

    agree: share of the trajectories that give it.
    """
    answers = [one.answer for tree in trees for one in trajectories(tree)]
    row: dict[str, Any] = {**dataclasses.asdict(trees[0].problem), "trajectories": len(answers)}
    if not answers:
        return row | {"most_common": None, "agree": 0.0}
    first, votes = vote(answers)
    return row | {"most_common": answers[first], "agree": round(votes / len(answers), 4)}


def write_never_solved(run: RunDir, number: int) -> int:
    """`never_solved.jsonl` of a round: its problems that neither it nor a round before solved; returns how many.

    The data of all these rounds must have been built.
    """
    solved: set[str] = set()
    for past in range(1, number + 1):
        solved |= solved_ids(row for _, row in iterate_jsonl(run.data(past) / "selection.jsonl"))
    rows = [
        doubt(trees)
        for trees in by_problem(trees_of(run.trees(number)))
        if trees[0].problem.id not in solved
    ]
    rows.sort(key=lambda row: (-row["agree"], -row["trajectories"], row["id"]))
    return write_jsonl(run.data(number) / NEVER_SOLVED, rows)
