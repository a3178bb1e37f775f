"""Exact arithmetic on expressions without variables (rule 7): integers are never compared approximately."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction

from rstar_jax.grading.expression import Apply, Expression, Number
from rstar_jax.grading.limits import MAX_BITS, MAX_FACTORIAL, TooHard


class NotRational(Exception):
    """The expression has a variable or an irrational part."""


class Undefined(Exception):
    """The expression has no value: a division by zero."""


def rational(tree: Expression) -> Fraction:
    """The exact value. NotRational, Undefined, or TooHard beyond the caps."""
    if isinstance(tree, Number):
        return tree.value
    if not isinstance(tree, Apply):
        raise NotRational
    rule = _RULES.get(tree.head)
    if rule is None:
        raise NotRational
    return _bounded(rule(*map(rational, tree.args)))


def _bounded(value: Fraction) -> Fraction:
    if value.numerator.bit_length() + value.denominator.bit_length() > 2 * MAX_BITS:
        raise TooHard("large number")
    return value


def _divide(a: Fraction, b: Fraction) -> Fraction:
    if b == 0:
        raise Undefined
    return a / b


def _power(base: Fraction, exponent: Fraction) -> Fraction:
    if exponent.denominator != 1:
        return _rational_root(base, exponent)
    if base == 0 and exponent <= 0:
        if exponent == 0:
            return Fraction(1)
        raise Undefined
    bits = max(base.numerator.bit_length(), base.denominator.bit_length())
    if base not in (-1, 0, 1) and abs(exponent) * bits > MAX_BITS:
        raise TooHard("large power")
    if base in (-1, 0, 1):
        exponent = exponent % 2 + (2 if base == 0 else 0)
    return base ** int(exponent)


def _rational_root(base: Fraction, exponent: Fraction) -> Fraction:
    """`4^{1/2}` and the like, where the root is rational; negative bases stay to the approximate stage."""
    if base < 0 or exponent.denominator > 64:
        raise NotRational
    index = exponent.denominator
    top, bottom = _integer_root(base.numerator, index), _integer_root(base.denominator, index)
    return _power(Fraction(top, bottom), Fraction(exponent.numerator))


def _integer_root(value: int, index: int) -> int:
    if value.bit_length() > 4096:
        raise NotRational
    if index == 2:
        root = math.isqrt(value)
    else:
        root = _bisect(value, index)
    if root**index != value:
        raise NotRational
    return root


def _bisect(value: int, index: int) -> int:
    low, high = 0, 1 << (value.bit_length() // index + 1)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if middle**index <= value else (low, middle - 1)
    return low


def _factorial(n: Fraction) -> Fraction:
    if n.denominator != 1 or n < 0:
        raise NotRational
    if n > MAX_FACTORIAL:
        raise TooHard("large factorial")
    return Fraction(math.factorial(int(n)))


def _binomial(n: Fraction, k: Fraction) -> Fraction:
    if n.denominator != 1 or k.denominator != 1 or n < 0:
        raise NotRational
    if n > 2 * MAX_FACTORIAL:
        raise TooHard("large binomial")
    return Fraction(math.comb(int(n), int(k)) if k >= 0 else 0)


def _root(base: Fraction, index: Fraction) -> Fraction:
    if base < 0 and index.denominator == 1 and index % 2 == 1:
        return -_root(-base, index)  # the real odd root, as school mathematics means it
    if index == 0:
        raise Undefined
    return _power(base, 1 / index)


def _integers(function: Callable[..., int]) -> Callable[..., Fraction]:
    def rule(*values: Fraction) -> Fraction:
        if any(v.denominator != 1 for v in values):
            raise NotRational
        return Fraction(function(*map(int, values)))

    return rule


_RULES: dict[str, Callable[..., Fraction]] = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "div": _divide,
    "neg": lambda a: -a,
    "pow": _power,
    "sqrt": lambda a: _power(a, Fraction(1, 2)),
    "cbrt": lambda a: _root(a, Fraction(3)),
    "root": _root,
    "factorial": _factorial,
    "binomial": _binomial,
    "abs": lambda a: abs(a),
    "floor": lambda a: Fraction(math.floor(a)),
    "ceil": lambda a: Fraction(math.ceil(a)),
    "max": lambda *a: max(a),
    "min": lambda *a: min(a),
    "gcd": _integers(math.gcd),
    "lcm": _integers(math.lcm),
    "degree": lambda a: a,
    "percent": lambda a: a / 100,
    "same": lambda a: a,
}
