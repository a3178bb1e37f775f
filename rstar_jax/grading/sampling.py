"""Values of an expression at fixed pseudo-random points, to 50 digits; more where terms cancel.

The points depend on the names of the variables only, so a verdict is the same in every thread and process.
Each thread has its own mpmath context: contexts change their precision while they compute.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from typing import Any

import mpmath

from rstar_jax.grading.exact import NotRational, Undefined, rational
from rstar_jax.grading.expression import Apply, Expression, Number, Symbol
from rstar_jax.grading.limits import MAX_MAGNITUDE, TooHard
from rstar_jax.grading.vocabulary import TRIGONOMETRIC, listed

DIGITS = 50
MAX_DIGITS = 2_000
POINTS = 6
_DIGITS_PER_BIT = 0.302
_CANCELLED = 1e-8  # a result this small beside its terms has lost digits
_local = threading.local()


def context() -> Any:
    """This thread's mpmath context."""
    if not hasattr(_local, "context"):
        _local.context = mpmath.MPContext()
        _local.context.dps = DIGITS
    return _local.context


def sample(tree: Expression, point: int, signed: bool = False) -> Any:
    """The value at a point to 50 significant digits; exactly 0 if all of its terms cancel."""
    mp = context()
    sampler = Sampler(point, signed)
    value = sampler.value(tree)
    if value != 0 and abs(value) >= _CANCELLED * sampler.scale:
        return value
    if sampler.scale == 0:
        return value
    digits = _digits_to_decide(mp.mag(sampler.scale), mp.mag(value) if value != 0 else 0)
    if digits > MAX_DIGITS:
        raise TooHard("cancellation")
    mp.dps = digits
    try:
        sampler = Sampler(point, signed)
        value = sampler.value(tree)
        return mp.zero if abs(value) < mp.mpf(10) ** (20 - digits) * sampler.scale else value
    finally:
        mp.dps = DIGITS


def _digits_to_decide(scale_bits: int, value_bits: int) -> int:
    """Enough to tell a difference of algebraic terms, such as sqrt(N^2 + 1) - N, from zero."""
    cancelled = scale_bits - value_bits
    return 2 * DIGITS + 10 + int(max(3 * scale_bits, cancelled, 0) * _DIGITS_PER_BIT)


class Sampler:
    """Evaluates at the point number `point`; `scale` is the largest term met in a sum."""

    def __init__(self, point: int, signed: bool = False):
        self.mp, self.point, self.signed = context(), point, signed
        self.scale = self.mp.zero

    def value(self, tree: Expression) -> Any:
        """A real or complex number. Undefined where there is none, TooHard beyond the caps."""
        if isinstance(tree, Number):
            return self._fraction(tree)
        if isinstance(tree, Symbol):
            return self._symbol(tree.name)
        if tree.head == "pow" and isinstance(tree.args[1], Apply):
            return self._power(tree)
        args = [self._degrees(a) if tree.head in TRIGONOMETRIC else self.value(a) for a in tree.args]
        rule = _RULES.get(tree.head)
        if rule is None:
            raise TooHard(tree.head)
        if tree.head in ("add", "sub"):
            self.scale = max(self.scale, *(abs(a) for a in args))
        try:
            return self._checked(rule(self.mp, *args))
        except (ZeroDivisionError, ValueError, OverflowError, TypeError) as error:
            raise Undefined from error

    def _fraction(self, number: Number) -> Any:
        return self.mp.mpf(number.value.numerator) / number.value.denominator

    def _power(self, tree: Apply) -> Any:
        """Integral powers with exact exponents, so that (-1)^{2k/2} stays real."""
        try:
            exponent: Expression = Number(rational(tree.args[1]))
        except NotRational:
            exponent = tree.args[1]
        return self.value(Apply("power", (tree.args[0], exponent)))

    def _degrees(self, tree: Expression) -> Any:
        value = self.value(tree)
        return value * self.mp.pi / 180 if has_degrees(tree) else value

    def _symbol(self, name: str) -> Any:
        if name == "pi":
            return +self.mp.pi
        if name == "e":
            return +self.mp.e
        if name == "i":
            return self.mp.mpc(0, 1)
        if name == "oo":
            raise Undefined
        raw = hashlib.blake2b(f"{self.point}/{name}".encode(), digest_size=9).digest()
        size = self.mp.mpf(3 + int.from_bytes(raw[:8], "big") % 10**15) / (4 * 10**14) + self.mp.mpf(1) / 3
        return self._far(name, raw[8]) * size if self.signed else size

    def _far(self, name: str, noise: int) -> int:
        """A sign and a scale, so that |x - 3| meets both of its branches; the first two points have opposite signs."""
        sign = self.point + sum(map(ord, name)) if self.point < 2 else noise
        return (-1) ** sign * 8 ** (self.point % 3)

    def _checked(self, value: Any) -> Any:
        if self.mp.isnan(value) or self.mp.isinf(value):
            raise Undefined
        if value != 0 and abs(self.mp.mag(value)) > MAX_MAGNITUDE:
            raise TooHard("magnitude")
        return value


def has_degrees(tree: Expression) -> bool:
    """Whether degree marks count here; those inside a function belong to the function."""
    if not isinstance(tree, Apply):
        return False
    if tree.head == "degree":
        return True
    return tree.head in ("add", "sub", "mul", "div", "neg") and any(map(has_degrees, tree.args))


def _power(mp: Any, base: Any, exponent: Any) -> Any:
    if base != 0 and abs(mp.mag(base) or 1) * max(abs(exponent), 1) > MAX_MAGNITUDE:
        raise TooHard("power")
    return mp.power(base, exponent)


def _root(mp: Any, value: Any, index: Any) -> Any:
    """Odd roots of negative numbers are real."""
    if not mp.isint(index) or index == 0 or abs(index) > 10**6:
        return _power(mp, value, 1 / index)
    if index % 2 == 1 and mp.im(value) == 0 and mp.re(value) < 0:
        return -mp.power(-value, 1 / index)
    return mp.power(value, 1 / index)


def _bounded(name: str, bits: int) -> Callable[..., Any]:
    """A function whose argument must stay below 2^bits: its cost or its value grows with the argument."""

    def rule(mp: Any, *args: Any) -> Any:
        if any(a != 0 and mp.mag(a) > bits for a in args):
            raise TooHard(name)
        return getattr(mp, name)(*args)

    return rule


def _log(mp: Any, value: Any, base: Any = None) -> Any:
    if value == 0:
        raise Undefined
    return mp.log(value) if base is None else mp.log(value) / mp.log(base)


def _real(function: Callable[[Any, Any], Any]) -> Callable[..., Any]:
    """Rounding, of reals only."""

    def rule(mp: Any, value: Any) -> Any:
        if mp.im(value) != 0 or (value != 0 and mp.mag(value) > 150):
            raise TooHard("rounding")
        return function(mp, mp.re(value))

    return rule


def _extreme(pick: Callable[..., Any]) -> Callable[..., Any]:
    return lambda mp, *args: pick(args)


_RULES: dict[str, Callable[..., Any]] = {
    "add": lambda mp, a, b: a + b,
    "sub": lambda mp, a, b: a - b,
    "mul": lambda mp, a, b: a * b,
    "div": lambda mp, a, b: a / b,
    "neg": lambda mp, a: -a,
    "pow": _power,
    "power": _power,
    "sqrt": lambda mp, a: mp.sqrt(a),
    "cbrt": lambda mp, a: _root(mp, a, mp.mpf(3)),
    "root": _root,
    "log": _log,
    "log10": lambda mp, a: _log(mp, a, 10),
    "log2": lambda mp, a: _log(mp, a, 2),
    "abs": lambda mp, a: abs(a),
    "floor": _real(lambda mp, a: mp.floor(a)),
    "ceil": _real(lambda mp, a: mp.ceil(a)),
    "factorial": _bounded("factorial", 40),
    "gamma_function": _bounded("gamma", 40),
    "binomial": _bounded("binomial", 40),
    "degree": lambda mp, a: a,
    "percent": lambda mp, a: a / 100,
    "radians": lambda mp, a: a * mp.pi / 180,
    "same": lambda mp, a: a,
    "max": _extreme(max),
    "min": _extreme(min),
    "re": lambda mp, a: mp.re(a),
    "conjugate": lambda mp, a: mp.conj(a),
    "sign": lambda mp, a: mp.sign(a),
    "exp": _bounded("exp", 40),
}
for _name in listed(
    """
    sin cos tan cot sec csc asin acos atan acot sinh cosh tanh coth sech csch asinh acosh atanh
    """
):
    _RULES[_name] = _bounded(_name, 40)


def close(a: Any, b: Any, tolerance: float) -> bool:
    return abs(a - b) <= tolerance * max(abs(a), abs(b))
