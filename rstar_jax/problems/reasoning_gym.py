"""Problems of the built-in example, from the generators of the `reasoning-gym` package.

Each family has three levels by the generator's own difficulty settings, named after the columns of the paper's Table 2.
"""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Mapping, Sequence
from typing import Any

from rstar_jax.problems.problem import LEVELS, Level, Problem
from rstar_jax.problems.splits import normalised_question

_DAY = {"min_time": datetime.time(0, 0), "max_time": datetime.time(23, 59), "task_types": ["time"]}


def _digits(low: int, high: int, **more: Any) -> dict[str, Any]:
    return {"min_digits": low, "max_digits": high, **more}


FAMILIES: Mapping[str, Mapping[Level, Mapping[str, Any]]] = {
    "chain_sum": {
        "GSM-level": _digits(1, 2, min_terms=2, max_terms=3),
        "MATH-level": _digits(2, 3, min_terms=3, max_terms=4),
        "Olympiad-level": _digits(3, 4, min_terms=4, max_terms=5),
    },
    "products": {
        "GSM-level": _digits(1, 2, min_terms=2, max_terms=2),
        "MATH-level": _digits(2, 3, min_terms=2, max_terms=3),
        "Olympiad-level": _digits(3, 4, min_terms=3, max_terms=4),
    },
    "gcd": {
        "GSM-level": {"max_numbers": 2, "max_value": 99},
        "MATH-level": {"min_numbers": 2, "max_numbers": 3, "min_value": 10, "max_value": 999},
        "Olympiad-level": {"min_numbers": 3, "max_numbers": 4, "min_value": 100, "max_value": 9999},
    },
    "lcm": {
        "GSM-level": {"max_numbers": 2, "max_value": 20},
        "MATH-level": {"min_numbers": 2, "max_numbers": 3, "min_value": 10, "max_value": 99},
        "Olympiad-level": {"min_numbers": 3, "max_numbers": 4, "min_value": 10, "max_value": 999},
    },
    "fraction_simplification": {
        "GSM-level": {"max_value": 20, "max_factor": 5, "styles": ("plain",)},
        "MATH-level": {"max_value": 99, "max_factor": 20, "styles": ("plain",)},
        "Olympiad-level": {"min_value": 50, "max_value": 999, "max_factor": 90, "styles": ("plain",)},
    },
    "simple_geometry": {
        "GSM-level": {"max_sides": 3},
        "MATH-level": {"min_sides": 4, "max_sides": 4},
        "Olympiad-level": {"min_sides": 5, "max_sides": 6},
    },
    "simple_equations": {
        "GSM-level": {"max_terms": 2, "max_value": 20},
        "MATH-level": {"min_terms": 2, "max_terms": 3, "max_value": 60},
        "Olympiad-level": {"min_terms": 3, "max_terms": 4, "max_value": 100},
    },
    "count_bits": {
        "GSM-level": {"max_n": 99},
        "MATH-level": {"min_n": 100, "max_n": 99_999},
        "Olympiad-level": {"min_n": 100_000, "max_n": 2_147_483_647},
    },
    "count_primes": {
        "GSM-level": {"max_n": 99},
        "MATH-level": {"min_n": 10, "max_n": 999},
        "Olympiad-level": {"min_n": 100, "max_n": 9999},
    },
    "decimal_chain_sum": {
        "GSM-level": _digits(1, 1, min_terms=2, max_terms=2, max_decimal_places=1),
        "MATH-level": _digits(1, 2, min_terms=2, max_terms=3, max_decimal_places=2),
        "Olympiad-level": _digits(1, 3, min_terms=3, max_terms=4, max_decimal_places=3),
    },
    "power_function": {},
    "time_intervals": {
        "GSM-level": {**_DAY, "max_time": datetime.time(9, 59), "max_time_difference_seconds": 3600},
        "MATH-level": {**_DAY, "max_time_difference_seconds": 21600},
        "Olympiad-level": {**_DAY, "task_types": ["time_seconds"]},
    },
}
