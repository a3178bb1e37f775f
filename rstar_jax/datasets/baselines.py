"""From trees to the data of the two reward models that the paper compares its PPM with (section 4.3, A.1, Table 8).

ORM  an outcome reward model: pairs of whole solutions of a problem, ranked by mean Q; trained as the PPM is
     (`training.ppm`), and asked for whole solutions only (best of N).
PQM  a model of Q-values: whole solutions with the Q of every step (`training.pqm`); asked for steps, as the PPM.

Both learn from the PPM's problems: those with correct and wrong solutions.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Sequence
from typing import Any, Literal

from rstar_jax.datasets.outcomes import Outcome, Solution, outcome, unique
from rstar_jax.datasets.pairs import solution_pairs
from rstar_jax.datasets.select import PAPER_ORM, PAPER_PQM, OrmRule, PqmRule
from rstar_jax.files import AnyPath, atomic_write
from rstar_jax.search.tree import Tree, q

Row = dict[str, Any]
Baseline = Literal["orm", "pqm"]


def orm_rows(trees: Sequence[Tree], rule: OrmRule = PAPER_ORM) -> list[Row]:
    """The pairs of one problem in the format of `pairs.pair_rows` (kind "final"): higher mean Q over lower."""
    found = outcome(trees)
    if not found.is_mixed or found.is_doubtful(rule.synthetic_sources, rule.min_correct):
        return []
    positives, negatives = _sides(found, rule)
    chosen = [
        (positive, negative)
        for positive, negative in itertools.product(positives, negatives)
        if positive.trajectory.mean_q > negative.trajectory.mean_q
    ]
    return solution_pairs(found, positives, negatives, chosen)


def pqm_rows(trees: Sequence[Tree], rule: PqmRule = PAPER_PQM) -> list[Row]:
    """The solutions of one problem, equal texts once, in the order in which they were found.

    A row is {"query", "steps", "q"}, the texts of the steps and the mean value of each one's node, and where it comes
    from: problem, tree, nodes and correct.
    """
    found = outcome(trees)
    if not found.is_mixed or found.is_doubtful(rule.synthetic_sources, rule.min_correct):
        return []
    tree_of = {tree.index: tree for tree in trees}
    solutions = sorted((*found.correct, *found.wrong), key=lambda one: (one.tree, one.trajectory.nodes[-1]))
    return [_pqm_row(found, one, tree_of[one.tree]) for one in unique(solutions)]


def write_rows(kind: Baseline, problems: Iterable[Sequence[Tree]], file: AnyPath) -> int:
    """Write the paper's rows of all problems (`outcomes.by_problem` groups trees) as JSON lines; their number."""
    rows_of, n_rows = {"orm": orm_rows, "pqm": pqm_rows}[kind], 0
    with atomic_write(file) as opened:
        for trees in problems:
            rows = rows_of(trees)
            opened.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
            n_rows += len(rows)
    return n_rows


def _sides(found: Outcome, rule: OrmRule) -> tuple[list[Solution], list[Solution]]:
    """Solutions with the highest mean Q, best first, and with the lowest, worst first."""
    positives, negatives = (
        unique(sorted(side, key=lambda one: -one.trajectory.mean_q)) for side in (found.correct, found.wrong)
    )
    if not rule.by_outcome:
        ranked = unique(sorted((*found.correct, *found.wrong), key=lambda one: -one.trajectory.mean_q))
        half = len(ranked) // 2
        positives, negatives = ranked[:half], ranked[len(ranked) - half :]
    return positives[: rule.positives], negatives[::-1][: rule.negatives]


def _pqm_row(found: Outcome, solution: Solution, tree: Tree) -> Row:
    one = solution.trajectory
    return {
        "query": found.problem.question,
        "steps": list(one.steps),
        "q": [q(tree, node) for node in one.nodes],
        "problem": found.problem.id,
        "tree": solution.tree,
        "nodes": list(one.nodes),
        "correct": one.correct,
    }
