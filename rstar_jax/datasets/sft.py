"""From trees to SFT rows: the best correct trajectories of each problem (section 3.4.1)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rstar_jax.datasets.outcomes import Outcome, Solution, outcome, unique
from rstar_jax.datasets.select import PAPER_SFT, SftRule
from rstar_jax.search.tree import Tree

Row = dict[str, Any]


def sft_rows(trees: Sequence[Tree], rule: SftRule = PAPER_SFT) -> list[Row]:
    """The rows of one problem, best first.

    A row is {"query", "response"}, the released format, and where it comes from: problem, tree, nodes (from
    below the root to the answer), rank (from 1), mean_q, min_q, and equal (how many correct trajectories
    have this text).
    """
    found = outcome(trees)
    if found.is_doubtful(rule.synthetic_sources, rule.min_correct):
        return []
    copies: dict[str, int] = {}
    for solution in found.correct:
        copies[solution.trajectory.text] = copies.get(solution.trajectory.text, 0) + 1
    chosen = _ranked(found, rule)[: rule.top]
    rows = [_row(found, solution, rank, copies) for rank, solution in enumerate(chosen, start=1)]
    return [row for row in rows if not (rule.drop_error_word and "error" in row["response"].lower())]


def _ranked(found: Outcome, rule: SftRule) -> list[Solution]:
    def key(solution: Solution) -> tuple[float, float, int]:
        one = solution.trajectory
        return -one.mean_q, -one.min_q, len(one.text) if rule.shortest_first else 0

    ranked = sorted(found.correct, key=key)
    return unique(ranked) if rule.merge_equal else ranked


def _row(found: Outcome, solution: Solution, rank: int, copies: dict[str, int]) -> Row:
    one = solution.trajectory
    return {
        "query": found.problem.question,
        "response": one.text,
        "problem": found.problem.id,
        "tree": solution.tree,
        "nodes": list(one.nodes),
        "rank": rank,
        "mean_q": one.mean_q,
        "min_q": one.min_q,
        "equal": copies[one.text],
    }
