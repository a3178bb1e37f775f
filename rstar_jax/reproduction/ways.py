"""From an evaluation to answers: by which rule, from how many trajectories.

A trajectory of a search evaluation is what one search would submit, its best-scored answer at the cost of the whole
search (section 4.1: several searches give several trajectories). So the same rules answer from searches and from
samples, and both are exchangeable, which the unbiased estimate of pass@N needs.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from typing import Literal

from rstar_jax.evaluation import selection
from rstar_jax.evaluation.aggregate import EvaluationResult, mean_pass, to_scores
from rstar_jax.evaluation.results import TrajectoryRow
from rstar_jax.evaluation.selection import Rule
from rstar_jax.evaluation.summary import Scores
from rstar_jax.reproduction.evaluations import Evaluation
from rstar_jax.reproduction.plan import MAIN

RuleName = Literal["first", "best", "vote", "majority", "weighted", "pass"]


@dataclasses.dataclass(frozen=True)
class Way:
    """A way of answering.

    rule: the "first" trajectory; the "best" scored one (the paper's); a "vote" among the `top_k` best (the released
    code's); "majority"; "weighted" by score; "pass": whether any is right. n: trajectories that it sees; None: all
    that were planned, which may differ between benchmarks. equal_to: instead, as many samples of each problem as this
    other way's generated tokens buy. run: "main", or the config of another run.
    """

    evaluation: Evaluation
    rule: RuleName = "first"
    n: int | None = None
    equal_to: Way | None = None
    run: str = MAIN


@dataclasses.dataclass(frozen=True)
class Answered:
    """Scores of a way on a benchmark; short: problems with fewer samples than the tokens would have bought."""

    scores: Scores
    short: int = 0


def answers(way: Way, result: EvaluationResult, n: int, budgets: Sequence[int] | None, top_k: int) -> Answered | None:
    """Apply a way to an evaluation.

    n: trajectories of a problem, for a way that does not say. budgets: generated tokens per problem, if the way is to
    cost the same as another. None: there are fewer trajectories than wanted.
    """
    (method,) = result.rows
    rows_of = [_trajectories(method, rows) for rows in result.of(method)]
    wanted, rule = 1 if way.rule == "first" else way.n or n, _rule(way.rule, top_k)
    if budgets is not None:
        matched = [selection.equal_token_count(rows, budget) for rows, budget in zip(rows_of, budgets, strict=True)]
        chosen = [rule(rows[:count]) for rows, (count, _) in zip(rows_of, matched, strict=True)]
        return Answered(to_scores(chosen), sum(not enough for _, enough in matched))
    if min(map(len, rows_of)) < wanted:
        return None
    if way.rule == "pass":
        return Answered(mean_pass(rows_of, wanted))
    return Answered(to_scores(rule(rows[:wanted]) for rows in rows_of))


def _trajectories(method: str, rows: Sequence[TrajectoryRow]) -> Sequence[TrajectoryRow]:
    return selection.one_per_tree(rows) if method == "search" else rows


def _rule(name: RuleName, top_k: int) -> Rule:
    rules: dict[str, Rule] = {
        "first": selection.first,
        "best": selection.best_by_score,
        "vote": functools.partial(selection.top_k_majority, k=top_k),
        "majority": selection.majority,
        "weighted": selection.weighted_vote,
        "pass": selection.majority,  # only to count tokens: `mean_pass` answers
    }
    return rules[name]
