"""Problems of the built-in example, from the generators of the `reasoning-gym` package.

Each family has three levels by the generator's own difficulty settings, named after the columns of the paper's
Table 2. Problems are drawn in a fixed order from a seed; a question that was drawn before is passed over, so
train and test problems, which are drawn one after the other, share none.
"""

from __future__ import annotations

import datetime
import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

import reasoning_gym

from rstar_jax.problems.problem import LEVELS, Level, Problem
from rstar_jax.problems.splits import check_disjoint, normalised_question

_DRAWS = 64  # questions asked of a generator at a time
_PATIENCE = 40  # times that a generator may be asked before its setting is called too narrow

Settings = Mapping[Level, Mapping[str, Any]]


def _levels(gsm: Mapping[str, Any], math: Mapping[str, Any], olympiad: Mapping[str, Any]) -> Settings:
    return dict(zip(LEVELS, (gsm, math, olympiad), strict=True))


def _sums(terms: tuple[int, int], digits: tuple[int, int], **more: Any) -> dict[str, Any]:
    sizes = {"min_terms": terms[0], "max_terms": terms[1], "min_digits": digits[0], "max_digits": digits[1]}
    return sizes | more


def _numbers(count: tuple[int, int], low: int, high: int) -> dict[str, Any]:
    return {"min_numbers": count[0], "max_numbers": count[1], "min_value": low, "max_value": high}


def _sequences(complexity: int, terms: int) -> dict[str, Any]:
    return {"max_complexity": complexity, "min_terms": terms, "max_terms": terms}


def _fractions(low: int, high: int, factor: int) -> dict[str, Any]:
    return {"min_value": low, "max_value": high, "max_factor": factor, "styles": ("plain",)}


FAMILIES: Mapping[str, Settings] = {
    "chain_sum": _levels(_sums((2, 3), (1, 2)), _sums((3, 4), (2, 3)), _sums((5, 6), (3, 4))),
    "products": _levels(_sums((2, 2), (1, 2)), _sums((2, 3), (2, 3)), _sums((3, 4), (3, 4))),
    "gcd": _levels(_numbers((2, 2), 1, 99), _numbers((2, 3), 10, 999), _numbers((4, 5), 1000, 99_999)),
    "lcm": _levels(_numbers((2, 2), 1, 40), _numbers((2, 3), 10, 99), _numbers((3, 4), 10, 999)),
    "fraction_simplification": _levels(_fractions(1, 20, 5), _fractions(1, 99, 20), _fractions(100, 999, 999)),
    "simple_geometry": _levels({"max_sides": 3}, {"min_sides": 4, "max_sides": 4}, {"min_sides": 5, "max_sides": 6}),
    "count_bits": _levels(
        {"max_n": 999}, {"min_n": 1000, "max_n": 99_999}, {"min_n": 100_000, "max_n": 2_147_483_647}
    ),
    "count_primes": _levels({"max_n": 99}, {"min_n": 10, "max_n": 999}, {"min_n": 100, "max_n": 9999}),
    "simple_equations": _levels(
        {"max_terms": 2, "max_value": 20},
        {"min_terms": 2, "max_terms": 3, "max_value": 60},
        {"min_terms": 3, "max_terms": 4, "max_value": 100},
    ),
    "number_sequence": _levels(_sequences(1, 4), _sequences(2, 5), _sequences(3, 6)),
    "time_intervals": _levels(
        {"task_types": ["time"], "max_time": datetime.time(9, 59), "max_time_difference_seconds": 7200},
        {"task_types": ["time"]},
        {"task_types": ["time_seconds"]},
    ),
}


# Rules of sequences have to be guessed and tried, which is what search is for; so there are more of them.
SHARES: Mapping[str, int] = {"number_sequence": 3}


def make_split(train_per_level: int, test_per_level: int, seed: int) -> tuple[list[Problem], list[Problem]]:
    """Train and test problems: so many of every family and level each, times the family's share (1 or `SHARES`).

    Raises:
        ValueError: a level of a family has fewer different questions than asked for.
    """
    train, test = [], []
    for family, levels in FAMILIES.items():
        for level in LEVELS:
            problems = _distinct(family, level, levels[level], seed)
            share = SHARES.get(family, 1)
            train += [next(problems) for _ in range(train_per_level * share)]
            test += [next(problems) for _ in range(test_per_level * share)]
    check_disjoint(train, test)
    return train, test


def _distinct(family: str, level: Level, settings: Mapping[str, Any], seed: int) -> Iterator[Problem]:
    """Different questions of one generator setting, in an order that depends on the arguments alone."""
    seen: set[str] = set()
    for draw in range(_PATIENCE):
        for question, answer in _draw(family, settings, _seed(family, level, seed, draw)):
            name = normalised_question(question)
            if name in seen:
                continue
            seen.add(name)
            yield Problem(f"{family}-{level}-{seed}-{len(seen):05d}", question, answer, level, family)
    raise ValueError(f"{family} at {level} has only {len(seen)} different questions")


def _draw(family: str, settings: Mapping[str, Any], seed: int) -> list[tuple[str, str]]:
    dataset = reasoning_gym.create_dataset(family, size=_DRAWS, seed=seed, **settings)
    return [(item["question"], item["answer"]) for item in (dataset[index] for index in range(_DRAWS))]


def _seed(*names: str | int) -> int:
    text = "/".join(map(str, names))
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=4).digest(), "big") >> 1
