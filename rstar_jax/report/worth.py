"""A dozen trees worth reading: problems that were solved late, solutions that were corrected, problems never solved."""

from __future__ import annotations

import dataclasses
import heapq
import itertools
from collections.abc import Iterable, Sequence
from typing import Any

from rstar_jax.datasets.outcomes import by_problem
from rstar_jax.evolution.never_solved import NEVER_SOLVED, solved_ids
from rstar_jax.evolution.run_dir import RunDir
from rstar_jax.files import iterate_jsonl
from rstar_jax.reproduction.reflection import Recovery, count, of_tree
from rstar_jax.search.tree import Tree

EACH = 4
LOOKED_THROUGH = 20_000  # trees; what a report has time for


@dataclasses.dataclass(frozen=True)
class Worth:
    """trees: all of a problem. tree: the one to read. why: one of "solved late", "corrected on the way", "never
    solved". note: in what way."""

    trees: Sequence[Tree]
    tree: Tree
    why: str
    note: str


def worth_reading(run: RunDir, number: int, trees: Iterable[Tree], each: int = EACH) -> list[Worth]:
    """Of a round's trees, a few of each kind; only the first `LOOKED_THROUGH` are looked at."""
    before = set().union(*(_solved(run, past) for past in range(1, number)))
    never = _never_solved(run, number, each)
    late: list[_Kept] = []
    corrected: list[_Kept] = []
    unsolved: dict[str, Worth] = {}
    for place, found in enumerate(by_problem(itertools.islice(trees, LOOKED_THROUGH))):
        name = found[0].problem.id
        if name not in before:
            _keep(late, _late(found, number), -place, each)
        _keep(corrected, _corrected(found), -place, each)
        if name in never:
            unsolved[name] = Worth(found, max(found, key=len), "never solved", never[name])
    ranked = (sorted(kept, key=lambda one: one[:2], reverse=True) for kept in (late, corrected))
    chosen = [worth for kept in ranked for _, _, worth in kept]
    return [*chosen, *(unsolved[name] for name in never if name in unsolved)]


def first_right(tree: Tree) -> int | None:
    """The rollout that found the first right answer, from 1."""
    found = [tree.created_at[node] + 1 for node, right in enumerate(tree.correct) if right is True]
    return min(found, default=None)


_Rank = tuple[float, ...]
_Kept = tuple[_Rank, int, Worth]


def _late(trees: Sequence[Tree], number: int) -> tuple[_Rank, Worth] | None:
    """The tree that solved a problem first, by how long it took."""
    solved = [(rollout, -tree.index, tree) for tree in trees if (rollout := first_right(tree)) is not None]
    if not solved:
        return None
    rollout, _, tree = min(solved, key=lambda one: (one[0], -one[1]))
    words = f"no round before {number} solved it" if number > 1 else "in the first round"
    return (rollout,), Worth(trees, tree, "solved late", f"{words}; rollout {rollout} of {tree.rollouts}")


def _corrected(trees: Sequence[Tree]) -> tuple[_Rank, Worth] | None:
    """The clearest recovery among a problem's solutions."""
    found = [(tree, one) for tree in trees for one in count(of_tree(tree))[1][:1]]
    if not found:
        return None
    tree, one = max(found, key=lambda pair: _clarity(pair[1]))
    values = one.solution.values
    back = f", takes back {', '.join(one.redoes) or 'a program'}" if one.is_reflection else ""
    words = f"PPM from {values[one.low]:+.2f} (step {one.low + 1}) to {values[one.switch]:+.2f}{back}"
    return _clarity(one), Worth(trees, tree, "corrected on the way", words)


def _clarity(one: Recovery) -> _Rank:
    return float(one.is_reflection and one.solution.correct is True), one.rise


def _keep(kept: list[_Kept], found: tuple[_Rank, Worth] | None, place: int, most: int) -> None:
    """The largest few; no two have the same place, so what stands behind it is never compared."""
    if found is not None:
        (heapq.heappush if len(kept) < most else heapq.heappushpop)(kept, (found[0], place, found[1]))


def _solved(run: RunDir, number: int) -> set[str]:
    return solved_ids(row for _, row in iterate_jsonl(run.data(number) / "selection.jsonl"))


def _never_solved(run: RunDir, number: int, most: int) -> dict[str, str]:
    """Problems that most agree about on another answer than the label."""
    rows = itertools.islice(iterate_jsonl(run.data(number) / NEVER_SOLVED), most)
    return {row["id"]: _doubt(row) for _, row in rows}


def _doubt(row: dict[str, Any]) -> str:
    if row["most_common"] is None:
        return f"label {row['answer']}; no answer was found"
    return f"label {row['answer']}; {row['agree']:.0%} of {row['trajectories']} answers are {row['most_common']}"
