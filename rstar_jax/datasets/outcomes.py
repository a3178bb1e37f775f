"""What the trees of one problem came to: correct and wrong solutions, and whether to trust its label."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterable, Iterator, Sequence

from rstar_jax.problems.problem import Problem
from rstar_jax.search.trajectories import Trajectory, trajectories
from rstar_jax.search.tree import Tree


@dataclasses.dataclass(frozen=True)
class Solution:
    """A graded trajectory and the number of the tree that it stands in."""

    tree: int
    trajectory: Trajectory


@dataclasses.dataclass(frozen=True)
class Outcome:
    """The graded solutions of a problem, over all of its trees."""

    problem: Problem
    correct: tuple[Solution, ...]
    wrong: tuple[Solution, ...]

    @property
    def is_mixed(self) -> bool:
        """Whether the problem has correct and wrong solutions (medium difficulty, section 3.4.1)."""
        return bool(self.correct) and bool(self.wrong)

    def is_doubtful(self, synthetic_sources: Sequence[str], min_correct: float) -> bool:
        """Whether a synthetic problem is solved so rarely that its label may be wrong (A.1)."""
        found = len(self.correct) + len(self.wrong)
        return self.problem.source in synthetic_sources and len(self.correct) < min_correct * found


def outcome(trees: Sequence[Tree]) -> Outcome:
    """The outcome of one problem's trees. Raises ValueError if they are of different problems or of none."""
    problems = {tree.problem.id for tree in trees}
    if len(problems) != 1:
        raise ValueError(f"trees of one problem wanted, not of {sorted(problems)}")
    graded = [
        Solution(tree.index, trajectory)
        for tree in trees
        for trajectory in trajectories(tree)
        if trajectory.correct is not None
    ]
    return Outcome(
        trees[0].problem,
        tuple(solution for solution in graded if solution.trajectory.correct),
        tuple(solution for solution in graded if not solution.trajectory.correct),
    )


def unique(solutions: Sequence[Solution]) -> list[Solution]:
    """The first solution of each text."""
    first: dict[str, Solution] = {}
    for solution in solutions:
        first.setdefault(solution.trajectory.text, solution)
    return list(first.values())


def by_problem(trees: Iterable[Tree]) -> Iterator[list[Tree]]:
    """Neighbouring trees of the same problem together, as a search leaves them."""
    for _, group in itertools.groupby(trees, key=lambda tree: tree.problem.id):
        yield list(group)


def gather_by_problem(trees: Iterable[Tree]) -> list[list[Tree]]:
    """The same for trees of several searches, in which a problem may come again. Holds all trees in memory."""
    groups: dict[str, list[Tree]] = {}
    for tree in trees:
        groups.setdefault(tree.problem.id, []).append(tree)
    return list(groups.values())
