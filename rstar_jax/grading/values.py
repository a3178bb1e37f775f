"""Whether two expressions have the same value (rule 7, label rules 1 and 2).

Exact fractions where both are rational, else agreement to 40 digits at fixed random points. A decimal stands
for an irrational or non-terminating gold if it is correctly rounded at six or more significant digits; a
terminating gold has to be met exactly, apart from float noise.
"""

from __future__ import annotations

import functools
from fractions import Fraction
from typing import Any

from rstar_jax.grading.exact import NotRational, Undefined, rational
from rstar_jax.grading.expression import Apply, Expression, Number, Symbol, heads, variables, walk
from rstar_jax.grading.limits import TooHard
from rstar_jax.grading.sampling import POINTS, close, context, sample

ROUNDED_DIGITS = 6  # significant digits from which a rounded decimal counts
GOLD_DIGITS = 10  # the same for a gold that is itself a rounded decimal
FLOAT_DIGITS = 12  # from here on a decimal is a float with noise in its last digits
NOISE = Fraction(1, 10**12)
_DISGUISED = 10**9  # a larger denominator is that of a float (rule 2)
_TIGHT = 1e-40
_NOISY = 1e-10
_NEEDED_POINTS = 3


def equal(gold: Expression, answer: Expression) -> bool | None:
    """Whether the values are the same; None if it cannot be told."""
    if gold == answer:
        return True
    try:
        a = _rational(gold)
        b = _rational(answer)
        if a is not None and b is not None:
            return a == b or _stands_for(a, answer, b) or _rounded_gold(gold, a, b)
        return _equal_samples(gold, answer, a, b)
    except Undefined:
        return _both_infinite(gold, answer)
    except TooHard:
        return None


def order(a: Expression, b: Expression) -> int | None:
    """-1, 0 or 1 as a is below, at or above b; None if they have no order."""
    try:
        x, y = _rational(a), _rational(b)
        difference = x - y if x is not None and y is not None else sample(a, 0) - sample(b, 0)
        if isinstance(difference, Fraction):
            return (difference > 0) - (difference < 0)
        if difference.imag != 0 or variables(a) or variables(b):
            return None
        return 0 if abs(difference) < 1e-30 else (1 if difference.real > 0 else -1)
    except (Undefined, TooHard):
        return None


def ascending(trees: list[Expression]) -> list[Expression] | None:
    """Sorted by value; None if two have no order."""
    if any(order(trees[0], tree) is None for tree in trees):
        return None
    return sorted(trees, key=functools.cmp_to_key(lambda a, b: order(a, b) or 0))


def proportional(gold: Expression, answer: Expression, positive: bool = False) -> bool | None:
    """Whether one is a constant non-zero multiple of the other: `gold = 0` and `answer = 0` (rule 11)."""
    if variables(gold) != variables(answer):
        return False
    try:
        ratios = []
        signed = "abs" in heads(gold) | heads(answer)
        for point in range(POINTS):
            top, bottom = sample(gold, point, signed), sample(answer, point, signed)
            if top == 0 or bottom == 0:
                return None
            ratios.append(top / bottom)
        if not all(close(ratio, ratios[0], _TIGHT) for ratio in ratios):
            return False
        return not positive or bool(ratios[0].imag == 0 and ratios[0].real > 0)
    except (Undefined, TooHard):
        return None


def is_percent_of(gold: Expression, answer: Expression) -> bool | None:
    """Whether the answer is the gold percentage as a fraction of one (label rule 3)."""
    return equal(Apply("div", (gold, Number(Fraction(100)))), answer)


def exact(tree: Expression) -> Fraction | None:
    """The value where equality is equality of fractions; None for long decimals and irrationals."""
    literal = _literal(tree)
    if _float_fraction(tree) or (literal is not None and literal.digits >= ROUNDED_DIGITS):
        return None
    try:
        return _rational(tree)
    except (Undefined, TooHard):
        return None


@functools.lru_cache(maxsize=4096)
def _rational(tree: Expression) -> Fraction | None:
    try:
        return rational(tree)
    except NotRational:
        return None


def _literal(tree: Expression) -> Number | None:
    """The number if the tree is one written decimal, with its sign."""
    if isinstance(tree, Apply) and tree.head in ("neg", "same"):
        return _literal(tree.args[0])
    return tree if isinstance(tree, Number) and tree.decimal else None


def _stands_for(gold: Fraction, answer: Expression, value: Fraction) -> bool:
    """Label rule 2 for a rational gold."""
    literal = _literal(answer)
    if literal is None:
        return _float_fraction(answer) and _near(gold, value) and not _terminating(gold)
    if literal.digits >= FLOAT_DIGITS and _near(gold, value):
        return gold.denominator != 1 or abs(gold - value) < Fraction(1, 100)
    return not _terminating(gold) and _correctly_rounded(gold, value, literal)


def _correctly_rounded(gold: Fraction, value: Fraction, literal: Number) -> bool:
    return literal.digits >= ROUNDED_DIGITS and abs(gold - value) * 2 <= Fraction(1, 10) ** literal.places


def _rounded_gold(gold_tree: Expression, gold: Fraction, value: Fraction) -> bool:
    literal = _literal(gold_tree)
    if literal is None or literal.digits < GOLD_DIGITS or _terminating(value):
        return False
    return _correctly_rounded(value, gold, literal)


def _near(a: Fraction, b: Fraction) -> bool:
    return abs(a - b) <= NOISE * abs(a)


def _terminating(value: Fraction) -> bool:
    rest = value.denominator
    twos = (rest & -rest).bit_length() - 1
    rest >>= twos
    return pow(10, rest.bit_length(), rest) == 0 if rest > 1 else True


def _float_fraction(tree: Expression) -> bool:
    """`6004799503160661/18014398509481984` is the float 0.333.. in disguise (rule 2)."""
    parts = tree.args if isinstance(tree, Apply) and tree.head == "div" else ()
    return len(parts) == 2 and isinstance(parts[1], Number) and parts[1].value > _DISGUISED


def _equal_samples(
    gold: Expression, answer: Expression, a: Fraction | None, b: Fraction | None
) -> bool | None:
    literal = _literal(answer)
    if literal is not None and not variables(gold):
        return _decimal_of_irrational(gold, literal, b)
    gold_literal = _literal(gold)
    if gold_literal is not None and gold_literal.digits >= GOLD_DIGITS and not variables(answer):
        return _decimal_of_irrational(answer, gold_literal, a)
    same = _agree(gold, answer, signed=False)
    if same and "abs" in heads(gold) | heads(answer):
        return _agree(gold, answer, signed=True)  # |x| and x differ where x is negative only
    return same


def _agree(gold: Expression, answer: Expression, signed: bool) -> bool | None:
    constant = not variables(gold) and not variables(answer)
    tolerance = _NOISY if _noisy(gold) or _noisy(answer) else _TIGHT
    met = 0
    for point in range(1 if constant else POINTS):
        try:
            x, y = sample(gold, point, signed), sample(answer, point, signed)
        except Undefined:
            if constant:
                raise
            continue
        if not close(x, y, tolerance):
            return False
        met += 1
    if constant and _astronomic(x):
        return None  # agreement of the leading digits says nothing of the last ones
    return True if constant or met >= _NEEDED_POINTS else None


def _astronomic(value: Any) -> bool:
    return abs(value) > 1e30


def _noisy(tree: Expression) -> bool:
    """Whether a float of Python print is inside."""
    return any(isinstance(n, Number) and n.decimal and n.digits >= FLOAT_DIGITS for n in walk(tree))


def _decimal_of_irrational(exact: Expression, literal: Number, value: Fraction | None) -> bool:
    assert value is not None  # a literal is rational
    mp = context()
    target = sample(exact, 0)
    decimal = mp.mpf(value.numerator) / value.denominator
    gap = abs(target - decimal)
    if close(target, decimal, _TIGHT):
        return True
    if literal.digits >= FLOAT_DIGITS and gap <= 1e-12 * abs(target):
        return not (mp.im(target) == 0 and mp.isint(target)) or gap < 0.01
    return literal.digits >= ROUNDED_DIGITS and gap <= mp.mpf(10) ** (-literal.places) * 0.5000001


def _both_infinite(gold: Expression, answer: Expression) -> bool | None:
    signs = [_infinite_sign(gold), _infinite_sign(answer)]
    if signs[0] is not None or signs[1] is not None:
        return signs[0] == signs[1]
    return None


def _infinite_sign(tree: Expression) -> int | None:
    if tree == Symbol("oo"):
        return 1
    if isinstance(tree, Apply) and tree.head == "neg" and (sign := _infinite_sign(tree.args[0])):
        return -sign
    return None
