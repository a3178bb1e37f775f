"""Problems that stand in a collection more than once, exactly or nearly.

Exact copies have the same normalised question (`splits.normalised_question`). If their answers differ, nobody knows
which is right, and all of them go.

Near copies have the same numbers, the same answer, and share nearly all of their words: a Jaccard similarity of their
word triples of at least `near`. Problems that differ in a number are different problems, however alike their words, so
only those that agree in numbers and answer are compared, each with each, and nothing is left to a hash.
"""

from __future__ import annotations

import collections
import dataclasses
import itertools
from collections.abc import Iterable, Sequence

from rstar_jax.grading import verdict
from rstar_jax.problems.problem import Problem
from rstar_jax.problems.splits import normalised_question
from rstar_jax.problems.words import numbers, words

NEAR = 0.8
_SHINGLE = 3  # words


@dataclasses.dataclass(frozen=True)
class Distinct:
    """What is left, in order, and what went: (problem, the one that it repeats or contradicts)."""

    problems: list[Problem]
    copies: list[tuple[Problem, Problem]]
    contradicting: list[tuple[Problem, Problem]]


def without_copies(problems: Iterable[Problem]) -> Distinct:
    """The first of all problems with one question; none of them if their answers differ."""
    first: dict[str, Problem] = {}
    copies, contradicting = [], []
    wrong: set[str] = set()
    for problem in problems:
        name = normalised_question(problem.question)
        known = first.setdefault(name, problem)
        if known is problem:
            continue
        if known.answer == problem.answer or verdict(problem.answer, known.answer) != "different":
            copies.append((problem, known))
        else:
            contradicting.append((problem, known))
            wrong.add(name)
    contradicting += [(first[name], first[name]) for name in sorted(wrong)]
    return Distinct([problem for name, problem in first.items() if name not in wrong], copies, contradicting)


def without_near_copies(problems: Sequence[Problem], near: float = NEAR) -> Distinct:
    """The first of all problems that are nearly the same; `near` above 1 keeps all."""
    alike: dict[tuple[str, tuple[str, ...]], list[int]] = collections.defaultdict(list)
    for place, problem in enumerate(problems):
        alike[problem.answer, numbers(problem.question)].append(place)
    copy_of: dict[int, int] = {}
    for places in alike.values():
        if len(places) > 1:
            copy_of |= _near_copies([shingles(problems[place].question) for place in places], places, near)
    kept = [problem for place, problem in enumerate(problems) if place not in copy_of]
    return Distinct(kept, [(problems[copy], problems[of]) for copy, of in sorted(copy_of.items())], [])


def shingles(question: str) -> frozenset[tuple[str, ...]]:
    """All triples of neighbouring words; a shorter question is one."""
    found = words(question)
    if len(found) < _SHINGLE:
        return frozenset([tuple(found)])
    return frozenset(zip(*(itertools.islice(found, start, None) for start in range(_SHINGLE)), strict=False))


def _near_copies(sets: Sequence[frozenset], places: Sequence[int], near: float) -> dict[int, int]:
    """Each later one of a similar pair, with the first kept one that it is similar to.

    Two sets can be as similar as `near` only if they share one of their rarest members: an index of those finds all
    pairs without comparing each with each (prefix filter, Chaudhuri et al. 2006).
    """
    counts = collections.Counter(itertools.chain.from_iterable(sets))
    index: dict[tuple[str, ...], list[int]] = collections.defaultdict(list)
    copies: dict[int, int] = {}
    for number, members in enumerate(sets):
        rarest = sorted(members, key=lambda member: (counts[member], member))
        rarest = rarest[: len(rarest) - int(near * len(rarest) - 1e-9)]
        seen = sorted({other for member in rarest for other in index[member]})
        like = next((other for other in seen if _jaccard(members, sets[other]) >= near), None)
        if like is not None:
            copies[places[number]] = places[like]
            continue
        for member in rarest:
            index[member].append(number)
    return copies


def _jaccard(one: frozenset, other: frozenset) -> float:
    shared = len(one & other)
    return shared / (len(one) + len(other) - shared)
