r"""Rules for large exact numbers and for single functions: `2^{1000}`, `10!`, `\binom{100}{50}`, `e^{2}`, `\ln 2`.

Only golds of one such part, and powers with one integer beside them.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any

import mpmath

from rstar_jax.grading.rewriting.labels import Labelled, other, same

_POWER = re.compile(r"(\d+)\^(?:\{(\d+)\}|(\d))(?:([+-])(\d+))?")
_FACTORIAL = re.compile(r"(\d+)!")
_BINOMIAL = re.compile(r"\\[dt]?binom\{(\d+)\}\{(\d+)\}")
_EXPONENTIAL = re.compile(r"e\^(?:\{(-?\d+)\}|(\d))")
_LOGARITHM = re.compile(r"\\ln(?:\((\d+)\)|\{(\d+)\}|(\d+))")
_BASED = re.compile(r"\\log_(?:\{(\d+)\}|(\d))(?:\((\d+)\)|\{(\d+)\}|(\d+))")
_MAX_EXPONENT, _MAX_ARGUMENT, _MAX_DIGITS = 5_000, 3_000, 60


def rule(gold: str) -> Iterator[Labelled]:
    """Everything that is made of a gold that is one of these."""
    text = re.sub(r"\s+|\\(?:left|right)(?![a-z])", "", gold.strip().strip("$").removesuffix("."))
    for pattern, build in (
        (_POWER, _power), (_FACTORIAL, _factorial), (_BINOMIAL, _binomial), (_EXPONENTIAL, _exponential),
        (_LOGARITHM, _logarithm), (_BASED, _based),
    ):  # fmt: skip
        if match := pattern.fullmatch(text):
            yield from build(match)


def _power(match: re.Match[str]) -> Iterator[Labelled]:
    base, exponent = int(match[1]), int(match[2] or match[3])
    tail, added = (match[4] or "") + (match[5] or ""), int((match[4] or "+") + (match[5] or "0"))
    if not (2 <= base < 10**6 and 2 <= exponent <= _MAX_EXPONENT):
        return
    yield from same("power", f"{base}^{{{exponent}}}{tail}", rf"{base}^{{{exponent - 1}}}\cdot {base}{tail}")
    yield from same("pyout", f"{base}**{exponent}{tail}")
    if exponent % 2 == 0 and exponent > 2:
        yield from same("power", f"{base * base}^{{{exponent // 2}}}{tail}")
    if added:
        yield from same(
            "power", f"{match[5]}+{base}^{{{exponent}}}" if added > 0 else f"-{match[5]}+{base}^{{{exponent}}}"
        )
        yield from other("power", f"{base}^{{{exponent}}}", f"{base}^{{{exponent}}}{-added:+d}")
    value = base**exponent + added
    if value < 10**_MAX_DIGITS:
        yield from same("bigint", str(value))
        yield from other("bigint", str(value + 1), str(value - 1), f"{value}0")
    yield from other("bigint", f"{base}^{{{exponent}}}{added + 1:+d}", f"{base}^{{{exponent}}}{added - 1 or 2:+d}")
    wrong = [(base, exponent + 1), (base + 1, exponent), (base, exponent - 1), (exponent, base)]
    yield from other("power", *(f"{a}^{{{b}}}{tail}" for a, b in wrong if b < 10**4 and a**b != base**exponent))
    if base * exponent != value:
        yield from other("power", str(base * exponent))
    yield from other("power", f"{base}{exponent}" if int(f"{base}{exponent}") != value else f"{base}")


def _factorial(match: re.Match[str]) -> Iterator[Labelled]:
    n = int(match[1])
    if not 3 <= n <= _MAX_ARGUMENT:
        return
    yield from same("combinatorics", f"{n}!", rf"{n}\cdot {n - 1}!", f"factorial({n})", f"({n})!")
    yield from other("combinatorics", f"{n - 1}!", f"{n + 1}!", f"{n}!+1", f"{n}!-1", str(n))
    if n <= 40:
        value = math.factorial(n)
        yield from same("bigint", str(value))
        yield from other("bigint", str(value + 1), str(value // 10))


def _binomial(match: re.Match[str]) -> Iterator[Labelled]:
    n, k = int(match[1]), int(match[2])
    if not 1 <= k < n <= _MAX_ARGUMENT:
        return
    value = math.comb(n, k)
    yield from same("combinatorics", rf"\dbinom{{{n}}}{{{k}}}", f"binomial({n}, {k})", rf"\binom{{{n}}}{{{n - k}}}")
    yield from same("combinatorics", rf"\frac{{{n}!}}{{{k}!{n - k}!}}", rf"\frac{{{n}!}}{{{k}!\cdot {n - k}!}}")
    yield from same("combinatorics", rf"{{{n} \choose {k}}}")
    if value < 10**_MAX_DIGITS:
        yield from same("combinatorics", str(value))
    near = [(n, k + 1), (n + 1, k), (n, k - 1)]
    yield from other("combinatorics", *(rf"\binom{{{a}}}{{{b}}}" for a, b in near if math.comb(a, b) != value))
    yield from other("combinatorics", rf"\binom{{{n}}}{{{k}}}+1", rf"2\binom{{{n}}}{{{k}}}", rf"\binom{{{k}}}{{{n}}}")
    if n % k or n // k != value:
        yield from other("combinatorics", rf"\frac{{{n}}}{{{k}}}")


def _exponential(match: re.Match[str]) -> Iterator[Labelled]:
    power = int(match[1] or match[2])
    if not 2 <= abs(power) <= 20:
        return
    yield from same("exp", f"e^{{{power}}}", f"exp({power})", f"E**({power})", rf"\exp({power})")
    yield from same("exp", rf"\frac{{1}}{{e^{{{-power}}}}}", f"1/e^{{{-power}}}", *_long(mpmath.exp(power)))
    yield from other("exp", f"e^{{{-power}}}", f"{power}e", f"e^{{{power + 1}}}", f"-e^{{{power}}}", str(power))
    yield from other("exp", _short(mpmath.exp(power)), rf"\ln {abs(power)}")


def _logarithm(match: re.Match[str]) -> Iterator[Labelled]:
    n = int(next(g for g in match.groups() if g))
    if not 2 <= n <= 10**6:
        return
    yield from same(
        "log", rf"\ln {n}", rf"\ln({n})", f"log({n})", rf"\ln{{{n}}}", rf"\log_e {n}", *_long(mpmath.log(n))
    )
    yield from same("log", rf"-\ln\frac{{1}}{{{n}}}", rf"\frac{{1}}{{2}}\ln {n * n}", f"ln({n})")
    yield from other("log", rf"\ln {n + 1}", rf"-\ln {n}", str(n), rf"\ln \frac{{1}}{{{n}}}", _short(mpmath.log(n)))
    yield from other("log", rf"\ln {n * n}", f"e^{{{n}}}")


def _based(match: re.Match[str]) -> Iterator[Labelled]:
    base, n = int(match[1] or match[2]), int(match[3] or match[4] or match[5])
    if base < 2 or n < 2 or base == n or not mpmath.log(n, base) % 1 > 1e-12:
        return
    yield from same("log", rf"\log_{{{base}}}{{{n}}}", rf"\log_{{{base}}}({n})", rf"\frac{{\ln {n}}}{{\ln {base}}}")
    yield from same("pyout", f"log({n})/log({base})", f"log({n}, {base})", *_long(mpmath.log(n) / mpmath.log(base)))
    yield from other(
        "log", rf"\log_{{{n}}}{{{base}}}", rf"\log_{{{base}}}{{{n + 1}}}", rf"\ln {n}", rf"\frac{{{n}}}{{{base}}}"
    )
    yield from other("pyout", f"log({base})/log({n})", f"log({n})*log({base})")


def _short(value: Any) -> str:
    """Rounded to two digits, which is not enough."""
    return str(mpmath.nstr(value, 2))


def _long(value: Any) -> Iterator[str]:
    """As a float of Python, unless it has an exponent."""
    text = repr(float(value))
    if "e" not in text:
        yield text
