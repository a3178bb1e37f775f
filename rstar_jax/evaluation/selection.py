"""From the trajectories of one problem to one answer: pure functions on result rows.

Paper section 4.1 returns the trajectory with the highest PPM score (`best_by_score`); the released code votes
among the K best (`top_k_majority`); the others are the usual baselines. Ties always go to the earlier
trajectory (`index`), so that no choice depends on chance. Trajectories without an answer cost tokens but
cannot be chosen.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence

from rstar_jax.evaluation.results import REST, TrajectoryRow


@dataclasses.dataclass(frozen=True)
class Choice:
    """The chosen trajectory (`index` None: none has an answer), whether it is right, what all cost."""

    index: int | None
    strict: bool
    released: bool
    generated_tokens: int
    scored_tokens: int
    trajectories: int
    calls: int
    seconds: float


Rule = Callable[[Sequence[TrajectoryRow]], Choice]


def first(rows: Sequence[TrajectoryRow]) -> Choice:
    """The first trajectory, answered or not: pass@1 of whatever drew it."""
    return _choice(rows, rows[0] if rows and rows[0].answer is not None else None)


def best_by_score(rows: Sequence[TrajectoryRow]) -> Choice:
    """The answered trajectory with the highest PPM score (paper section 4.1)."""
    ranked = _by_score(_answered(rows))
    return _choice(rows, ranked[0] if ranked else None)


def majority(rows: Sequence[TrajectoryRow]) -> Choice:
    """The most frequent answer, equivalent answers counted as one; its first trajectory stands for it."""
    return _choice(rows, _vote(_answered(rows), lambda row: 1.0))


def weighted_vote(rows: Sequence[TrajectoryRow]) -> Choice:
    """The answer with the largest sum of (1 + score) / 2, which maps the PPM's [-1, 1] to [0, 1]."""
    answered = _answered(rows)
    _require_scores(answered)
    return _choice(rows, _vote(answered, lambda row: (1 + row.score) / 2))


def top_k_majority(rows: Sequence[TrajectoryRow], k: int) -> Choice:
    """Majority among the k best-scored trajectories; ties go to the group with the better-scored one."""
    if k < 1:
        raise ValueError(f"k must be positive, got {k}")
    return _choice(rows, _vote(_by_score(_answered(rows))[:k], lambda row: 1.0))


def one_per_tree(rows: Sequence[TrajectoryRow]) -> list[TrajectoryRow]:
    """What every search would submit, its best-scored trajectory, at the whole cost of that search (section 4.1).

    One without an answer stands for a search that found none. In the order of the trees.
    """
    trees: dict[int, list[TrajectoryRow]] = {}
    for row in rows:
        trees.setdefault(row.tree, []).append(row)
    return [_submitted(found) for _, found in sorted(trees.items())]


def _submitted(rows: Sequence[TrajectoryRow]) -> TrajectoryRow:
    choice = best_by_score(rows)
    chosen = next((row for row in rows if row.index == choice.index), rows[-1])
    return dataclasses.replace(
        chosen,
        generated_tokens=choice.generated_tokens,
        scored_tokens=choice.scored_tokens,
        calls=choice.calls,
        seconds=choice.seconds,
    )


def pass_at(n: int, correct: int, k: int) -> float:
    """Unbiased estimate of P(one of k trajectories is right) from n independent ones, `correct` of them so.

    1 - C(n - correct, k) / C(n, k) (Chen et al. 2021). Needs exchangeable trajectories: samples, not leaves
    of one tree.

    Raises:
        ValueError: unless 1 <= k <= n and 0 <= correct <= n.
    """
    if not 1 <= k <= n or not 0 <= correct <= n:
        raise ValueError(f"pass@{k} is undefined for {correct} right of {n}")
    return 1.0 - math.comb(n - correct, k) / math.comb(n, k)


def any_correct(rows: Sequence[TrajectoryRow], grader: str = "strict") -> bool:
    """Whether some trajectory is right: pass@N of the very N given (paper Figure 7, leaves of a search)."""
    return any(getattr(row, grader) for row in rows)


def equal_token_count(sampled: Sequence[TrajectoryRow], budget: int) -> tuple[int, bool]:
    """How many of a problem's samples cost what a search on it cost, and whether there were that many.

    budget: generated tokens of the search. The count is floor(budget / mean tokens of this problem's
    samples), at least 1. The mean, not the running sum, so that short trajectories are not preferred to long
    ones.
    """
    total = sum(row.generated_tokens for row in sampled)
    if not sampled or total <= 0:
        raise ValueError("budget matching needs sampled trajectories with generated tokens")
    count = budget * len(sampled) // total
    return max(1, min(count, len(sampled))), count <= len(sampled)


def _answered(rows: Sequence[TrajectoryRow]) -> list[TrajectoryRow]:
    return sorted((row for row in rows if row.answer is not None), key=lambda row: row.index)


def _by_score(answered: Sequence[TrajectoryRow]) -> list[TrajectoryRow]:
    _require_scores(answered)
    return sorted(answered, key=lambda row: -row.score)  # stable: ties keep the order of index


def _require_scores(answered: Sequence[TrajectoryRow]) -> None:
    for row in answered:
        if math.isnan(row.score):
            where = f"trajectory {row.index} ({row.method}) of problem {row.problem_id}"
            raise ValueError(f"{where} has no PPM score")


def _vote(
    candidates: Sequence[TrajectoryRow], weight: Callable[[TrajectoryRow], float]
) -> TrajectoryRow | None:
    """The first member of the heaviest group; of equal groups the one that appears first in `candidates`."""
    totals: dict[int, float] = {}
    leaders: dict[int, TrajectoryRow] = {}
    for row in candidates:
        totals[row.group] = totals.get(row.group, 0.0) + weight(row)
        leaders.setdefault(row.group, row)
    return leaders[max(totals, key=totals.__getitem__)] if totals else None  # max keeps the first of equals


def _choice(rows: Sequence[TrajectoryRow], chosen: TrajectoryRow | None) -> Choice:
    return Choice(
        index=None if chosen is None else chosen.index,
        strict=chosen is not None and chosen.strict,
        released=chosen is not None and chosen.released,
        generated_tokens=sum(row.generated_tokens for row in rows),
        scored_tokens=sum(row.scored_tokens for row in rows),
        trajectories=sum(row.outcome != REST for row in rows),
        calls=sum(row.calls for row in rows),
        seconds=math.fsum(row.seconds for row in rows),
    )
