"""What the trees of a question say, finished or not: the answer, its steps with their scores, the other answers.

Pure functions of the trees. A solution counts as soon as the PPM has scored its answer.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any, Literal

from rstar_jax.grading import group_answers, vote
from rstar_jax.search.trajectories import Trajectory, trajectories
from rstar_jax.search.tree import INNER_KINDS, ROOT, NodeKind, Tree, path_nodes, q

Select = Literal["best", "majority", "weighted"]
"""best: the solution with the highest PPM score (paper section 4.1); majority: the answer of most solutions; weighted:
the answer with the largest sum of (1 + score) / 2 over its solutions. As `evaluation.selection` has them."""


@dataclasses.dataclass(frozen=True)
class Step:
    """score: of the PPM, None if it was not asked. q, visits: of its node in the search."""

    text: str
    kind: NodeKind
    score: float | None
    q: float
    visits: int


@dataclasses.dataclass(frozen=True)
class Alternative:
    """An answer that was found. votes: solutions that end in it or in an equivalent one; score: of the best of them."""

    answer: str
    votes: int
    score: float


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What is known so far.

    answer: None while no solution is finished; then `steps` are the most promising beginning of one, and else those of
    the best solution with this answer. alternatives: all answers, the chosen one first, then by votes. solutions:
    finished ones. tokens: generated; solution_tokens: of those the ones that `steps` are made of. judged: steps that
    the PPM has scored.
    """

    answer: str | None
    score: float | None
    steps: tuple[Step, ...]
    alternatives: tuple[Alternative, ...]
    solutions: int
    rollouts: int
    depth: int
    nodes: int
    tokens: int
    solution_tokens: int
    judged: int

    @property
    def text(self) -> str:
        return "".join(step.text for step in self.steps)

    def to_json(self) -> dict[str, Any]:
        """The fields as JSON has them."""
        return dataclasses.asdict(self)


@dataclasses.dataclass(frozen=True)
class _Solution:
    tree: Tree
    found: Trajectory
    group: int = 0  # of equivalent answers


def read_outcome(trees: Sequence[Tree], select: Select = "best") -> Outcome:
    """The outcome of trees that were grown independently for one question."""
    solutions = _solutions(trees)
    chosen = _choose(solutions, select)
    if chosen is not None:
        tree, nodes = chosen.tree, chosen.found.nodes
    else:
        tree, nodes = max(((tree, most_promising(tree)) for tree in trees), key=lambda found: len(found[1]))
    return Outcome(
        answer=chosen.found.answer if chosen else None,
        score=chosen.found.ppm if chosen else None,
        steps=tuple(_step(tree, node) for node in nodes),
        alternatives=_alternatives(solutions, chosen),
        solutions=len(solutions),
        rollouts=sum(tree.rollouts for tree in trees),
        depth=max(max(tree.depth) for tree in trees),
        nodes=sum(len(tree) - 1 for tree in trees),
        tokens=sum(tree.tokens for tree in trees),
        solution_tokens=sum(tree.n_tokens[node] for node in nodes),
        judged=sum(tree.scored for tree in trees),
    )


def most_promising(tree: Tree) -> tuple[int, ...]:
    """The unfinished path that search has visited most; of children with equal visits the one with the highest Q."""
    node = ROOT
    while inner := [child for child in tree.children[node] if tree.kind[child] in INNER_KINDS]:
        node = max(inner, key=lambda child: (tree.visits[child], q(tree, child)))
    return path_nodes(tree, node)


def _solutions(trees: Sequence[Tree]) -> list[_Solution]:
    """Tree by tree, in the order in which they were found."""
    found = [(tree, one) for tree in trees for one in trajectories(tree) if one.answer and not math.isnan(one.ppm)]
    groups = group_answers([one.answer for _, one in found])
    return [_Solution(tree, one, group) for (tree, one), group in zip(found, groups, strict=True)]


def _choose(solutions: list[_Solution], select: Select) -> _Solution | None:
    """Ties go to the earlier solution. Of a chosen answer's solutions the one with the highest score stands for it."""
    candidates = solutions
    if solutions and select != "best":
        weights = [(1 + one.found.ppm) / 2 for one in solutions] if select == "weighted" else None
        winner = solutions[vote([one.found.answer for one in solutions], weights)[0]].group
        candidates = [one for one in solutions if one.group == winner]
    return max(candidates, key=lambda one: one.found.ppm, default=None)


def _alternatives(solutions: list[_Solution], chosen: _Solution | None) -> tuple[Alternative, ...]:
    groups: dict[int, list[Trajectory]] = {}
    for one in solutions:
        groups.setdefault(one.group, []).append(one.found)

    def rank(group: int) -> tuple[bool, int]:
        return chosen is None or group != chosen.group, -len(groups[group])

    return tuple(
        Alternative(
            chosen.found.answer if chosen and group == chosen.group else groups[group][0].answer,
            len(groups[group]),
            max(one.ppm for one in groups[group]),
        )
        for group in sorted(groups, key=rank)
    )


def _step(tree: Tree, node: int) -> Step:
    score = tree.ppm[node]
    return Step(
        tree.text[node], tree.kind[node], None if math.isnan(score) else score, q(tree, node), tree.visits[node]
    )
