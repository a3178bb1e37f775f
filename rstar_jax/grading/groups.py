"""Groups of equivalent answers, for majority voting (grading recommendation 4)."""

from __future__ import annotations

from collections.abc import Sequence

from rstar_jax.grading.first_stage import verdict
from rstar_jax.grading.normalise import clean


def group_answers(answers: Sequence[str]) -> list[int]:
    """The group of each answer, numbered by first appearance.

    Equal normal forms first, then the strict first stage against one answer of each group; what it cannot
    tell stays apart. Invalid answers equal nothing, not even themselves, but share the group of their own
    text.
    """
    by_form: dict[str, int] = {}
    leaders: list[str] = []
    groups = []
    for answer in answers:
        form = "".join((clean(answer) or answer).split())
        if form not in by_form:
            by_form[form] = _group_of(answer, leaders)
        groups.append(by_form[form])
    return groups


def vote(answers: Sequence[str], weights: Sequence[float] | None = None) -> tuple[int, float]:
    """Index of the first answer of the heaviest group, and its weight (without `weights`, answers are counted).

    Ties go to the earlier group. Raises ValueError if there are no answers.
    """
    if not answers:
        raise ValueError("no answers to vote on")
    groups = group_answers(answers)
    totals: dict[int, float] = {}
    for group, weight in zip(groups, weights if weights is not None else [1.0] * len(answers), strict=True):
        totals[group] = totals.get(group, 0.0) + weight
    winner = max(totals, key=lambda g: (totals[g], -g))
    return groups.index(winner), totals[winner]


def _group_of(answer: str, leaders: list[str]) -> int:
    for group, leader in enumerate(leaders):
        if verdict(answer, leader) == "equal":
            return group
    leaders.append(answer)
    return len(leaders) - 1
