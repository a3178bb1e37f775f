"""From trees to preference pairs (section 3.3).

Step pairs compare siblings: the ones with the highest Q that lead to some correct answer against the ones
with the lowest Q that lead to some wrong answer. Final pairs compare whole solutions of a problem, right
against wrong, which need not share more than the question. Only problems with both kinds of outcome give
pairs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, TypeVar

from rstar_jax.datasets.edits import edits_at_least
from rstar_jax.datasets.outcomes import Outcome, Solution, outcome, unique
from rstar_jax.datasets.select import PAPER_PAIRS, PairRule
from rstar_jax.search.trajectories import trajectories
from rstar_jax.search.tree import Tree, path, q
from rstar_jax.trajectory.prompts import policy_prompt

Row = dict[str, Any]
T = TypeVar("T")


def pair_rows(trees: Sequence[Tree], rule: PairRule = PAPER_PAIRS) -> list[Row]:
    """The pairs of one problem: step pairs tree by tree from the root down, then final pairs.

    A row is {"prompt", "pos", "neg", "pos_count", "neg_count"}, the released format, and where it comes
    from: problem, kind ("step" or "final"), and for either side tree, node (of the step; the answer's for a
    final pair), Q (mean Q of the solution for a final pair) and rank (from 1; highest Q first for pos,
    lowest first for neg).
    """
    found = outcome(trees)
    if not found.is_mixed or found.is_doubtful(rule.synthetic_sources, rule.min_correct):
        return []
    rows = [row for tree in trees for row in _step_pairs(tree, rule)]
    return rows + (_final_pairs(found, rule) if rule.final else [])


def _step_pairs(tree: Tree, rule: PairRule) -> list[Row]:
    best, worst = _completions(tree)
    rows = []
    for parent, children in enumerate(tree.children):
        steps = [child for child in children if rule.answers_as_steps or tree.kind[child] != "answer"]
        positives = sorted(
            (step for step in steps if best[step] > -math.inf), key=lambda step: -q(tree, step)
        )
        negatives = sorted((step for step in steps if worst[step] < math.inf), key=lambda step: q(tree, step))
        chosen = [
            (positive, negative)
            for positive, negative in _each_with_each(positives, negatives, rule)
            if _is_pair(tree, positive, negative, rule)
            and (not rule.better_completion or best[positive] > worst[negative])
        ]
        counts = _counts(chosen if rule.recount else _each_with_each(positives, negatives, rule))
        prompt = policy_prompt(tree.problem.question, path(tree, parent).text)
        for positive, negative in chosen:
            rows.append(
                {
                    "prompt": prompt,
                    "pos": tree.text[positive],
                    "neg": tree.text[negative],
                    **counts,
                    "problem": tree.problem.id,
                    "kind": "step",
                    **_side("pos", tree.index, positive, q(tree, positive), positives.index(positive)),
                    **_side("neg", tree.index, negative, q(tree, negative), negatives.index(negative)),
                }
            )
    return rows


def _final_pairs(found: Outcome, rule: PairRule) -> list[Row]:
    positives = unique(sorted(found.correct, key=lambda solution: -solution.trajectory.mean_q))
    negatives = unique(sorted(found.wrong, key=lambda solution: solution.trajectory.mean_q))
    return solution_pairs(found, positives, negatives, _each_with_each(positives, negatives, rule))


def solution_pairs(
    found: Outcome,
    positives: Sequence[Solution],
    negatives: Sequence[Solution],
    chosen: Sequence[tuple[Solution, Solution]],
) -> list[Row]:
    """The `chosen` pairs of whole solutions as rows; a rank is a place in `positives` or `negatives`."""
    return [
        {
            "prompt": policy_prompt(found.problem.question),
            "pos": positive.trajectory.text,
            "neg": negative.trajectory.text,
            **_counts(chosen),
            "problem": found.problem.id,
            "kind": "final",
            **_solution_side("pos", positive, positives.index(positive)),
            **_solution_side("neg", negative, negatives.index(negative)),
        }
        for positive, negative in chosen
    ]


def _completions(tree: Tree) -> tuple[list[float], list[float]]:
    """Of each node: best mean Q of a correct, worst of a wrong solution through it; -inf and inf if none."""
    best, worst = [-math.inf] * len(tree), [math.inf] * len(tree)
    for one in trajectories(tree):
        for node in one.nodes:
            if one.correct is True:
                best[node] = max(best[node], one.mean_q)
            elif one.correct is False:
                worst[node] = min(worst[node], one.mean_q)
    return best, worst


def _is_pair(tree: Tree, positive: int, negative: int, rule: PairRule) -> bool:
    gap = q(tree, positive) - q(tree, negative)
    better, worse = tree.text[positive], tree.text[negative]
    return gap > 0 and gap >= rule.min_gap and edits_at_least(better, worse, max(rule.min_edit_distance, 1))


def _each_with_each(positives: Sequence[T], negatives: Sequence[T], rule: PairRule) -> list[tuple[T, T]]:
    """The first of either side, each with each; more of one side where the other has only one."""
    lone = 1 in (len(positives), len(negatives))
    n_positives = rule.against_one if lone else rule.positives
    n_negatives = rule.against_one if lone else rule.negatives
    return [(one, other) for one in positives[:n_positives] for other in negatives[:n_negatives]]


def _counts(pairs: Sequence[tuple[Any, Any]]) -> Row:
    return {
        "pos_count": len({positive for positive, _ in pairs}),
        "neg_count": len({negative for _, negative in pairs}),
    }


def _side(name: str, tree: int, node: int, value: float, place: int) -> Row:
    return {f"{name}_tree": tree, f"{name}_node": node, f"{name}_q": value, f"{name}_rank": place + 1}


def _solution_side(name: str, solution: Solution, place: int) -> Row:
    one = solution.trajectory
    return _side(name, solution.tree, one.nodes[-1], one.mean_q, place)
