"""From rows to one result per problem: an evaluation's outcome, and the selection rules applied to it."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping, Sequence

from rstar_jax.evaluation import selection
from rstar_jax.evaluation.results import REST, TrajectoryRow, by_method
from rstar_jax.evaluation.selection import Choice, Rule
from rstar_jax.evaluation.summary import ScalingCurve, Scores
from rstar_jax.problems.problem import Problem

SEARCH_CURVE = "PPM-guided search"
MAJORITY_CURVE = "majority of samples, equal tokens"
BEST_OF_N_CURVE = "best of samples by PPM, equal tokens"

RowsByProblem = Mapping[str, Sequence[TrajectoryRow]]


@dataclasses.dataclass(frozen=True)
class EvaluationResult:
    """All rows of an evaluation, `rows[method][problem id]` in order of index."""

    problems: tuple[Problem, ...]
    rows: Mapping[str, RowsByProblem]

    def of(self, method: str) -> list[Sequence[TrajectoryRow]]:
        """The rows of every problem, in the order of `problems`. KeyError if the method was not run."""
        return [self.rows[method][problem.id] for problem in self.problems]

    def scores(self, method: str, rule: Rule) -> Scores:
        """A rule applied to every problem."""
        return to_scores(rule(rows) for rows in self.of(method))


def collect(problems: Sequence[Problem], rows: Iterable[TrajectoryRow]) -> EvaluationResult:
    return EvaluationResult(tuple(problems), by_method(rows))


def system1(result: EvaluationResult) -> Scores:
    """Greedy pass@1 (paper Table 3)."""
    return result.scores("greedy", selection.first)


def system2(result: EvaluationResult, n: int | None = None) -> Scores:
    """The best-scored of a search's first n answers (None: all), at its whole cost (paper section 4.1)."""
    choices = []
    for rows in result.of("search"):
        choice = selection.best_by_score(rows if n is None else _first_answers(rows, n))
        choices.append(at_the_cost_of(choice, rows))
    return to_scores(choices)


def at_the_cost_of(choice: Choice, rows: Sequence[TrajectoryRow]) -> Choice:
    """The same choice, having paid for all of these rows."""
    return dataclasses.replace(
        choice,
        generated_tokens=sum(row.generated_tokens for row in rows),
        scored_tokens=sum(row.scored_tokens for row in rows),
        calls=sum(row.calls for row in rows),
        seconds=math.fsum(row.seconds for row in rows),
    )


def pass_at_n(result: EvaluationResult, k: int) -> Scores:
    """Unbiased pass@k of the sampled trajectories; the tokens are those of k average ones.

    Unbiased for a fixed number of samples; under `match_search` their number depends a little on their
    lengths. Raises ValueError for k above the number of samples of some problem.
    """
    return mean_pass(result.of("sample"), k)


def mean_pass(per_problem: Iterable[Sequence[TrajectoryRow]], k: int) -> Scores:
    """Unbiased pass@k of exchangeable trajectories of every problem; costs are those of k average ones."""
    columns = [
        (
            selection.pass_at(len(rows), sum(row.strict for row in rows), k),
            selection.pass_at(len(rows), sum(row.released for row in rows), k),
            sum(row.generated_tokens for row in rows) * k // len(rows),
            sum(row.scored_tokens for row in rows) * k // len(rows),
            k,
            sum(row.calls for row in rows) * k // len(rows),
            math.fsum(row.seconds for row in rows) * k / len(rows),
        )
        for rows in per_problem
    ]
    return Scores(*(tuple(column) for column in zip(*columns, strict=True)))


def scaling(result: EvaluationResult, counts: Sequence[int]) -> tuple[ScalingCurve, ...]:
    """Accuracy over the search's number of trajectories, and baselines of the same cost (Figure 3).

    At a count k the search answers by the best-scored of its first k answers and has paid for these only. A
    baseline gets, problem by problem, as many samples as those tokens buy at the mean cost of that problem's
    samples.
    """
    searched = tuple(_search_prefix(result, k) for k in counts)
    curves = [ScalingCurve(SEARCH_CURVE, tuple(counts), searched)]
    if "sample" not in result.rows:
        return tuple(curves)
    curves.append(_matched(result, counts, MAJORITY_CURVE, selection.majority))
    if _all_scored(result):
        curves.append(_matched(result, counts, BEST_OF_N_CURVE, selection.best_by_score))
    return tuple(curves)


def majority_at_equal_tokens(result: EvaluationResult) -> tuple[Scores, int]:
    """Majority of as many samples as the search's tokens buy; and on how many problems there were too few."""
    choices, short = [], 0
    for searched, sampled in zip(result.of("search"), result.of("sample"), strict=True):
        n, matched = selection.equal_token_count(sampled, sum(row.generated_tokens for row in searched))
        choices.append(selection.majority(sampled[:n]))
        short += not matched
    return to_scores(choices), short


def to_scores(choices: Iterable[Choice]) -> Scores:
    chosen = list(choices)
    return Scores(
        strict=tuple(float(c.strict) for c in chosen),
        released=tuple(float(c.released) for c in chosen),
        generated_tokens=tuple(c.generated_tokens for c in chosen),
        scored_tokens=tuple(c.scored_tokens for c in chosen),
        trajectories=tuple(c.trajectories for c in chosen),
        calls=tuple(c.calls for c in chosen),
        seconds=tuple(c.seconds for c in chosen),
    )


def _search_prefix(result: EvaluationResult, k: int) -> Scores:
    return to_scores(selection.best_by_score(_first_answers(rows, k)) for rows in result.of("search"))


def _first_answers(rows: Sequence[TrajectoryRow], k: int) -> Sequence[TrajectoryRow]:
    """All that a search did up to its k-th answer; all that it did if it found fewer."""
    places = [place for place, row in enumerate(rows) if row.outcome != REST]
    return rows[: places[k - 1] + 1] if len(places) >= k else rows


def _matched(result: EvaluationResult, counts: Sequence[int], name: str, rule: Rule) -> ScalingCurve:
    scores, unmatched = [], []
    for k in counts:
        choices, short = [], 0
        for searched, sampled in zip(result.of("search"), result.of("sample"), strict=True):
            budget = sum(row.generated_tokens for row in _first_answers(searched, k))
            n, matched = selection.equal_token_count(sampled, budget)
            choices.append(rule(sampled[:n]))
            short += not matched
        scores.append(to_scores(choices))
        unmatched.append(short)
    return ScalingCurve(name, tuple(counts), tuple(scores), tuple(unmatched))


def _all_scored(result: EvaluationResult) -> bool:
    answered = (row for rows in result.of("sample") for row in rows if row.answer is not None)
    return all(row.score == row.score for row in answered)  # NaN is unequal to itself
