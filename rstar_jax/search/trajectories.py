"""Whole solutions read off a tree: root-to-answer paths and their values (paper sections 3.3, 3.4.1, 4.1)."""

from __future__ import annotations

import dataclasses
import math
import statistics

from rstar_jax.search.tree import Tree, path, path_nodes, q


@dataclasses.dataclass(frozen=True)
class Trajectory:
    """A finished solution of a tree.

    nodes: node numbers from below the root to the answer. mean_q, min_q: over these nodes (top-2 by mean Q
    train the policy, section 3.4.1; the released script breaks ties by the smallest Q, item 55). ppm: of the
    answer, NaN if it was not scored. correct: None if it was not graded. count: equal proposals of the answer
    step. logprob: of the whole response.
    """

    nodes: tuple[int, ...]
    steps: tuple[str, ...]
    answer: str
    correct: bool | None
    mean_q: float
    min_q: float
    ppm: float
    count: int
    logprob: float

    @property
    def text(self) -> str:
        return "".join(self.steps)


def trajectories(tree: Tree) -> list[Trajectory]:
    """All root-to-answer paths, in the order in which the answers were found."""
    return [_trajectory(tree, node) for node in range(len(tree)) if tree.kind[node] == "answer"]


def best_path(tree: Tree) -> Trajectory | None:
    """The solution that search would submit; None if none was finished.

    It has the highest PPM score (section 4.1) or, where the PPM scored no answer, the highest mean Q. The
    first wins ties.
    """
    found = trajectories(tree)
    if not found:
        return None
    if all(math.isnan(one.ppm) for one in found):
        return max(found, key=lambda one: one.mean_q)
    return max(found, key=lambda one: -math.inf if math.isnan(one.ppm) else one.ppm)


def best_of_rollouts(tree: Tree) -> list[tuple[int, Trajectory]]:
    """(rollout, its best answer by PPM score) for rollouts that found one: the released record of a test."""
    best: dict[int, Trajectory] = {}
    for one in trajectories(tree):
        rollout = tree.created_at[one.nodes[-1]]
        if rollout not in best or one.ppm > best[rollout].ppm:
            best[rollout] = one
    return sorted(best.items())


def n_correct(tree: Tree) -> int:
    """Right answers found so far."""
    return sum(flag is True for flag in tree.correct)


def _trajectory(tree: Tree, leaf: int) -> Trajectory:
    nodes = path_nodes(tree, leaf)
    values = [q(tree, node) for node in nodes]
    return Trajectory(
        nodes=nodes,
        steps=path(tree, leaf).steps,
        answer=tree.answer[leaf],
        correct=tree.correct[leaf],
        mean_q=statistics.fmean(values),
        min_q=min(values),
        ppm=tree.ppm[leaf],
        count=tree.count[leaf],
        logprob=math.fsum(tree.logprob[node] for node in nodes),
    )
