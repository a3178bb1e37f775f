"""Which libraries a cell has loaded before it is forked.

A fork costs time in proportion to the memory that is copied, so a program is given the smallest cell that
has what its text names. What a tier lacks can still be imported by the program, only more slowly.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterable

STANDARD = (
    *("bisect", "cmath", "collections", "copy", "datetime", "decimal", "fractions", "functools", "heapq"),
    *("itertools", "math", "operator", "random", "re", "statistics", "string", "time", "typing"),
)
SYMBOLIC = (*STANDARD, "numpy", "mpmath", "sympy")
SCIENTIFIC = (*SYMBOLIC, "scipy", "scipy.optimize", "scipy.integrate", "scipy.special", "scipy.stats")

TIERS: dict[str, tuple[str, ...]] = {"standard": STANDARD, "symbolic": SYMBOLIC, "scientific": SCIENTIFIC}

_SCIENTIFIC_NAMES = re.compile(r"\bscipy\b")
_SYMBOLIC_NAMES = re.compile(r"\b(?:numpy|sympy|mpmath)\b")


BELOW = {"symbolic": "standard", "scientific": "symbolic"}
"""The tier that has most of what a tier needs: its process is forked, then loads the rest."""


def tier_of(pieces: Iterable[str]) -> str:
    """The tier that a program needs, by the library names in its text."""
    source = "\n".join(pieces)
    if _SCIENTIFIC_NAMES.search(source):
        return "scientific"
    return "symbolic" if _SYMBOLIC_NAMES.search(source) else "standard"


def load(tier: str) -> None:
    """Import the tier's libraries, run what they build on first use, and fix their random states."""
    for name in TIERS[tier]:
        importlib.import_module(name)
    if tier != "standard":
        _warm_sympy()
    seed(tier)


def seed(tier: str) -> None:
    """Every root starts with the same random state, so that a replay agrees with the first run."""
    import random

    random.seed(0)
    if tier != "standard":
        import numpy

        numpy.random.seed(0)


def _warm_sympy() -> None:
    """SymPy's first calls build tables; done here they are shared by every fork."""
    import sympy

    x, y = sympy.symbols("x y")
    sympy.solve(x**2 - 3 * x + 2, x)
    sympy.solve([x + y - 3, x - y - 1], [x, y])
    sympy.simplify(sympy.sin(x) ** 2 + sympy.cos(x) ** 2)
    sympy.factor(sympy.expand((x + 1) ** 3))
    sympy.integrate(x**2 * sympy.exp(x), x)
    sympy.limit(sympy.sin(x) / x, x, 0)
    sympy.Matrix([[1, 2], [3, 4]]).inv()
    sympy.nsimplify(sympy.sqrt(2).evalf(20))
    sympy.factorint(360)
    str(sympy.Rational(1, 3) + sympy.sqrt(3) * sympy.pi)
