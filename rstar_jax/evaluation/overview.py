"""What an evaluation of a single model found, in a few numbers: right answers, missing answers, costs."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Mapping, Sequence

from rstar_jax.evaluation import aggregate, selection
from rstar_jax.evaluation.aggregate import EvaluationResult
from rstar_jax.evaluation.intervals import Interval
from rstar_jax.evaluation.measure import share
from rstar_jax.evaluation.summary import Scores


@dataclasses.dataclass(frozen=True)
class Overview:
    """One way of answering.

    strict, released: share of the problems that it answers right. The rest is about the single solutions behind it:
    their number, how many ended in what way, the share without an answer, means of generated tokens and of steps.
    """

    way: str
    strict: Interval
    released: Interval
    solutions: int
    outcomes: Mapping[str, int]
    without_answer: float
    tokens: float
    steps: float

    def line(self) -> str:
        return (
            f"{self.way:24}strict {_percent(self.strict)}; released {_percent(self.released)}; "
            f"no answer {self.without_answer:.1%}; {self.tokens:.0f} tokens a solution"
        )


def overviews(result: EvaluationResult) -> list[Overview]:
    """Greedy and sampled solutions, where they were drawn."""
    found = []
    if "greedy" in result.rows:
        found.append(_overview(result, "greedy", "greedy", aggregate.system1(result)))
    if "sample" in result.rows:
        n = min(map(len, result.of("sample")))
        majority = result.scores("sample", selection.majority)
        found.append(_overview(result, "sample", f"samples, mean of {n}", aggregate.pass_at_n(result, 1)))
        found.append(_overview(result, "sample", f"samples, majority of {n}", majority))
    return found


def table(name: str, n_problems: int, found: Sequence[Overview]) -> str:
    """The overviews of one file of problems, as text."""
    return "\n".join([f"{name}, {n_problems} problems", *(f"  {one.line()}" for one in found)])


def _overview(result: EvaluationResult, method: str, way: str, scores: Scores) -> Overview:
    rows = [row for rows in result.of(method) for row in rows]
    return Overview(
        way=way,
        strict=share(scores.strict),
        released=share(scores.released),
        solutions=len(rows),
        outcomes=dict(Counter(row.outcome for row in rows)),
        without_answer=sum(row.answer is None for row in rows) / len(rows),
        tokens=sum(row.generated_tokens for row in rows) / len(rows),
        steps=sum(row.steps for row in rows) / len(rows),
    )


def _percent(share: Interval) -> str:
    return f"{share.estimate:.1%} [{share.low:.1%}, {share.high:.1%}] ({share.kind})"
