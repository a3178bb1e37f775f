r"""Exact sums as text: LaTeX in several styles, Python and SymPy print, Unicode, decimals.

Every writer prints the whole sum, so all texts of one sum have one value.
"""

from __future__ import annotations

import decimal
from collections.abc import Callable
from fractions import Fraction
from typing import Literal

import mpmath

from rstar_jax.grading.rewriting.terms import Sum, Term

Style = Literal["frac", "dfrac", "tfrac", "front", "slash"]

_DIGITS = 60
_SUPERSCRIPTS = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")


def latex(total: Sum, style: Style = "frac", spaced: bool = False, braced: bool = False) -> str:
    """`front` puts roots and letters behind the fraction, `slash` writes a/b; `braced` writes x^{2} for x^2."""
    return _joined(total, lambda term: _latex_term(term, style, braced), " " if spaced else "")


def python(total: Sum, spaced: bool = True) -> str:
    """As SymPy prints it: `3*sqrt(5)*x**2/4 - 1`."""
    return _joined(total, _python_term, " " if spaced else "")


def unicode(total: Sum) -> str:
    return _joined(total, _unicode_term, " ").replace("-", "−")


def _joined(total: Sum, write: Callable[[Term], str], gap: str) -> str:
    text = ""
    for term in total.terms:
        sign = "-" if term.coefficient < 0 else "+" if text else ""
        body = write(Term(abs(term.coefficient), term.radicand, term.letters))
        text += f"{gap}{sign}{gap}{body}" if text else f"{sign}{body}"
    return text or "0"


def _latex_term(term: Term, style: Style, braced: bool) -> str:
    root = rf"\sqrt{{{term.radicand}}}" if term.radicand != 1 else ""
    factors = root + "".join(_latex_letter(name, power, braced) for name, power in term.letters)
    factors = factors.replace(r"\pi", r"\pi ").rstrip()
    top, bottom = term.coefficient.numerator, term.coefficient.denominator
    if bottom == 1:
        return _coefficient(top, factors)
    if style == "front":
        return rf"\frac{{{top}}}{{{bottom}}}{factors}"
    if style == "slash":
        return f"{_coefficient(top, factors)}/{bottom}"
    return rf"\{style}{{{_coefficient(top, factors)}}}{{{bottom}}}"


def _coefficient(value: int, factors: str) -> str:
    return factors if value == 1 and factors else f"{value}{factors}"


def _latex_letter(name: str, power: int, braced: bool) -> str:
    name = r"\pi" if name == "pi" else name
    if power == 1:
        return name
    return f"{name}^{{{power}}}" if braced or power > 9 else f"{name}^{power}"


def _python_term(term: Term) -> str:
    factors = [f"sqrt({term.radicand})"] if term.radicand != 1 else []
    factors += [_python_letter(name, power) for name, power in term.letters]
    if term.coefficient.numerator != 1 or not factors:
        factors.insert(0, str(term.coefficient.numerator))
    bottom = term.coefficient.denominator
    return "*".join(factors) + (f"/{bottom}" if bottom != 1 else "")


def _python_letter(name: str, power: int) -> str:
    name = "I" if name == "i" else name
    return name if power == 1 else f"{name}**{power}"


def _unicode_term(term: Term) -> str:
    factors = "" if term.radicand == 1 else f"√({term.radicand})" if term.letters else f"√{term.radicand}"
    for name, power in term.letters:
        raised = str(power).translate(_SUPERSCRIPTS) if power != 1 else ""
        factors += ("π" if name == "pi" else name) + raised
    bottom = term.coefficient.denominator
    return _coefficient(term.coefficient.numerator, factors) + (f"/{bottom}" if bottom != 1 else "")


def real(total: Sum) -> decimal.Decimal:
    """The value of a sum without variables to 60 digits. ValueError if it is not a real number."""
    if total.variables or "i" in total.names:
        raise ValueError("no real number")
    mp = mpmath.MPContext()
    mp.dps = _DIGITS + 10
    value = mp.zero
    for term in total.terms:
        part = mp.mpf(term.coefficient.numerator) / term.coefficient.denominator * mp.sqrt(term.radicand)
        for _, power in term.letters:
            part *= mp.pi**power
        value += part
    return decimal.Decimal(str(mp.nstr(value, _DIGITS)))


def rounded(value: decimal.Decimal, digits: int) -> str:
    """Correctly rounded to so many significant digits, without an exponent."""
    return format(decimal.Context(prec=digits, rounding=decimal.ROUND_HALF_EVEN).plus(value), "f")


def terminating(value: Fraction) -> str | None:
    """The exact decimal of a fraction, if it has one of at most twelve places."""
    for places in range(13):
        shifted = value * 10**places
        if shifted.denominator == 1:
            digits = f"{abs(shifted.numerator):0{places + 1}d}"
            whole, part = (digits[:-places], digits[-places:]) if places else (digits, "")
            return ("-" if value < 0 else "") + whole + (f".{part}" if part else "")
    return None
