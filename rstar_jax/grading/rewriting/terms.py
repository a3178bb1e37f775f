r"""Sums that are compared exactly: `\frac{3\sqrt{5}}{4}`, `2x^{2}-7x+1`, `10+2\sqrt{2}`, `3-4i`, `\frac{\pi}{6}`.

A sum is a combination, with rational coefficients, of products of one square root and powers of letters. Roots of
different square-free numbers, powers of pi, the unit i and monomials are independent of each other over the rationals,
so two sums have the same value only if all coefficients agree. No letter but pi and i is a constant here: `e` is not
read, since nobody knows how it is related to pi.

The reader takes a narrow part of LaTeX, by patterns of its own, and no more: what it does not know it leaves alone.
"""

from __future__ import annotations

import dataclasses
import re
from fractions import Fraction

Letters = tuple[tuple[str, int], ...]

_MAX_RADICAND = 10**7
_NUMBER = r"\d+(?:\.\d+)?|\.\d+"
_ROOT = r"\\sqrt(?:\{(?P<radicand>\d+)\}|(?P<digit>\d))"
_LETTER = r"\\pi(?![a-z]{2})|[a-zA-Z]"
_FACTOR = re.compile(rf"(?:{_ROOT}|(?P<letter>{_LETTER})(?:\^(?:\{{(?P<power>\d+)\}}|(?P<short>\d)))?)(?!\^)")
_PRODUCT = re.compile(rf"(?P<number>{_NUMBER})?(?:\\cdot|\\times)?")
_FRACTION = re.compile(r"\\[dt]?frac(?:\{([^{}]*(?:\{\d+\}[^{}]*)*)\}|(\d))(?:\{([^{}]*(?:\{\d+\})?[^{}]*)\}|(\d))")
_SLASH = re.compile(r"(\d+)/(\d+)")
_MIXED = re.compile(r"(\d+)\\[dt]?frac(?:\{(\d+)\}|(\d))(?:\{(\d+)\}|(\d))")
_THOUSANDS = re.compile(r"-?\d{1,3}(?:,\d{3})+(?:\.\d+)?")
_WORD = re.compile(r"(?<![a-zA-Z\\])(?:[a-zA-Z]{3,}|[A-Z]|cm|km|mm|kg|ft|in|mi|lb|hr|or|is|sq)(?![a-zA-Z])")


@dataclasses.dataclass(frozen=True)
class Term:
    """coefficient * sqrt(radicand) * letters; the radicand has no square factor. `pi` and `i` are letters."""

    coefficient: Fraction
    radicand: int = 1
    letters: Letters = ()


@dataclasses.dataclass(frozen=True)
class Sum:
    """Terms in the order in which they were written; no terms are zero."""

    terms: tuple[Term, ...]

    @property
    def value(self) -> frozenset[tuple[int, Letters, Fraction]]:
        """What equal sums share."""
        total: dict[tuple[int, Letters], Fraction] = {}
        for term in self.terms:
            key = (term.radicand, term.letters)
            total[key] = total.get(key, Fraction(0)) + term.coefficient
        return frozenset((*key, c) for key, c in total.items() if c)

    @property
    def names(self) -> frozenset[str]:
        """All letters, pi and i among them."""
        return frozenset(name for term in self.terms for name, _ in term.letters)

    @property
    def variables(self) -> frozenset[str]:
        return self.names - {"pi", "i"}

    @property
    def rational(self) -> Fraction | None:
        """The value if it is a rational number."""
        if any(term.radicand != 1 or term.letters for term in self.terms):
            return None
        return sum((term.coefficient for term in self.terms), Fraction(0))

    @property
    def simple(self) -> bool:
        """Whether no two terms could be joined and none is zero."""
        return len(self.value) == len(self.terms)


def scaled(total: Sum, factor: Fraction | int) -> Sum:
    return Sum(tuple(dataclasses.replace(t, coefficient=t.coefficient * factor) for t in total.terms))


def number(value: Fraction | int) -> Sum:
    return Sum((Term(Fraction(value)),) if value else ())


def read(text: str) -> Sum | None:
    """The sum that the text writes; None if it is not certain that it writes one."""
    if re.search(r"[\d,]\s+\d", text):  # 1, 234 and 2 5/8 are something else
        return None
    text = compact(text)
    if _THOUSANDS.fullmatch(text):
        text = text.replace(",", "")
    if _WORD.search(text) or re.fullmatch(r"[a-zA-Z]{2,}|[A-Z]|", text):  # a word, a unit, a choice, nothing
        return None
    pieces = re.findall(r"[+-]?[^+-]+", text)
    if "".join(pieces) != text:
        return None
    terms = [_signed(piece, lone=len(pieces) == 1) for piece in pieces]
    total = Sum(tuple(t for t in terms if t is not None))
    if len(total.terms) < len(terms) or "e" in total.names or ("i" in total.names and not _complex(total)):
        return None
    if re.fullmatch(r"[+-]?0+(\.0*)?", text):
        return Sum(())
    return total if total.simple else None


def compact(text: str) -> str:
    """Without spaces, dollar signs, thin spaces and one full stop at the end."""
    text = text.strip().removesuffix(".").removeprefix("$").removesuffix("$")
    text = text.strip().replace("{,}", ",").replace("\\!", "")
    return re.sub(r"\\,|\s+", "", text.removesuffix("."))


def _complex(total: Sum) -> bool:
    """Whether i can only be the imaginary unit: alone, to the first power."""
    return all(term.letters in ((), (("i", 1),)) for term in total.terms)


def _signed(piece: str, lone: bool) -> Term | None:
    sign = -1 if piece.startswith("-") else 1
    term = _term(piece.lstrip("+-"), lone)
    return dataclasses.replace(term, coefficient=sign * term.coefficient) if term else None


def _term(text: str, lone: bool) -> Term | None:
    if (match := _SLASH.fullmatch(text)) and int(match[2]):
        return Term(Fraction(int(match[1]), int(match[2])))
    if (match := _MIXED.fullmatch(text)) and lone:
        whole, top, bottom = int(match[1]), int(match[2] or match[3]), int(match[4] or match[5])
        return Term(whole + Fraction(top, bottom)) if 0 < top < bottom else None
    if match := _FRACTION.match(text):
        top, bottom = _product(_part(match[1], match[2])), _product(_part(match[3], match[4]))
        rest = _product(text[match.end() :]) if match.end() < len(text) else Term(Fraction(1))
        if top is None or bottom is None or rest is None or bottom.letters or not bottom.coefficient:
            return None
        if re.match(r"[\d.]", text[match.end() :]):
            return None
        upper = _times(_times(top, rest), Term(Fraction(1), bottom.radicand))
        return dataclasses.replace(upper, coefficient=upper.coefficient / bottom.coefficient / bottom.radicand)
    return _product(text)


def _part(braced: str | None, digit: str | None) -> str:
    return digit if digit is not None else braced or ""


def _product(text: str) -> Term | None:
    """A number followed by roots and letters; a minus in front counts."""
    sign = -1 if text.startswith("-") else 1
    text = text.removeprefix("-")
    match = _PRODUCT.match(text)
    if match is None or not text or text.endswith(("\\cdot", "\\times")) or (match.group() and not match["number"]):
        return None
    term, at = Term(Fraction(match["number"] or 1) * sign), match.end()
    while at < len(text):
        factor = _FACTOR.match(text, at)
        if factor is None:
            return None
        term, at = _times(term, _factor(factor)), factor.end()
    return term


def _factor(match: re.Match[str]) -> Term:
    if match["letter"] is None:
        return root(int(match["radicand"] or match["digit"]))
    return Term(Fraction(1), 1, ((match["letter"].removeprefix("\\"), int(match["power"] or match["short"] or 1)),))


def root(radicand: int) -> Term:
    """A square root with its square factors taken out; 0 if the radicand is 0 or too large to take apart."""
    if not 0 < radicand <= _MAX_RADICAND:
        return Term(Fraction(0))
    outside, inside, factor = 1, radicand, 2
    while factor * factor <= inside:
        while inside % (factor * factor) == 0:
            inside //= factor * factor
            outside *= factor
        factor += 1
    return Term(Fraction(outside), inside)


def _times(a: Term, b: Term) -> Term:
    joined = root(a.radicand * b.radicand)
    powers = dict(a.letters)
    for name, power in b.letters:
        powers[name] = powers.get(name, 0) + power
    letters = tuple(sorted((n, p) for n, p in powers.items() if p))
    return Term(a.coefficient * b.coefficient * joined.coefficient, joined.radicand, letters)
