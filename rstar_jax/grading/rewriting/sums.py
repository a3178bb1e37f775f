r"""Rules for one exact sum: other texts of the same value, and texts of sums that differ in one place."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from fractions import Fraction

from rstar_jax.grading.rewriting import printing, terms
from rstar_jax.grading.rewriting.labels import Labelled, other, same
from rstar_jax.grading.rewriting.terms import Sum, Term

_LETTERS = "xyztnabk"
_LARGEST = 10**60  # coefficients beyond are left alone


def rule(gold: str) -> Iterator[Labelled]:
    """Everything that is made of a gold that is one sum."""
    total = terms.read(gold)
    if total is not None and total.terms and small(total):
        yield from rewritings(total)
        yield from near_misses(total)


def small(total: Sum) -> bool:
    """Whether a float can hold all of it."""
    return all(max(abs(t.coefficient.numerator), t.coefficient.denominator) < _LARGEST for t in total.terms)


def kind(total: Sum) -> str:
    value = total.rational
    if value is not None:
        if 0 < abs(value) < Fraction(1, 10**4):
            return "tiny"
        if value.denominator == 1:
            return "int" if abs(value) < 10**6 else "bigint"
        return "frac"
    if total.variables:
        return "algebra"
    return "complex" if "i" in total.names else "pi" if "pi" in total.names else "root"


def rewritings(total: Sum) -> Iterator[Labelled]:
    """LaTeX, Python and Unicode texts of the same sum."""
    name = kind(total)
    yield from same(name, *(printing.latex(total, style) for style in ("frac", "dfrac", "tfrac", "front", "slash")))
    yield from same(name, printing.latex(total, spaced=True), printing.latex(total, braced=True))
    yield from same(name, rf"\left({printing.latex(total)}\right)")
    yield from same("pyout", printing.python(total), printing.python(total, spaced=False))
    yield from same("pyout", f"[{printing.python(total)}]")
    yield from same("unicode", printing.unicode(total))
    if len(total.terms) > 1:
        turned = Sum(total.terms[::-1])
        yield from same(name, printing.latex(turned), printing.latex(Sum(total.terms[1:] + total.terms[:1])))
        yield from same("pyout", printing.python(turned))
    yield from same(name, *_shared(total))
    if len(total.terms) == 1:
        yield from same(name, *_one_term(total.terms[0]))


def _shared(total: Sum) -> Iterator[str]:
    """A common denominator below, or a common factor in front."""
    bottom = math.lcm(*(t.coefficient.denominator for t in total.terms))
    if bottom > 1 and len(total.terms) > 1:
        above = terms.scaled(total, bottom)
        yield rf"\frac{{{printing.latex(above)}}}{{{bottom}}}"
        yield f"({printing.latex(above)})/{bottom}"
        yield rf"\frac{{1}}{{{bottom}}}({printing.latex(above)})"
    factor = math.gcd(*(t.coefficient.numerator for t in total.terms))
    if bottom == 1 and factor > 1 and len(total.terms) > 1:
        inside = printing.latex(terms.scaled(total, Fraction(1, factor)))
        yield f"{factor}({inside})"
        yield rf"{factor}\left({inside}\right)"
        yield rf"-{factor}({printing.latex(terms.scaled(total, Fraction(-1, factor)))})"


def _one_term(term: Term) -> Iterator[str]:
    """Forms that a product has and a sum has not."""
    sign = "-" if term.coefficient < 0 else ""
    size = abs(term.coefficient)
    top, bottom = size.numerator, size.denominator
    factors = printing.latex(Sum((Term(Fraction(1), term.radicand, term.letters),)))
    if bottom > 1:
        upper = printing.latex(Sum((Term(Fraction(2 * top), term.radicand, term.letters),)))
        yield rf"{sign}\frac{{{upper}}}{{{2 * bottom}}}"
        single = printing.latex(Sum((Term(Fraction(top), term.radicand, term.letters),)))
        if sign:
            yield rf"\frac{{-{single}}}{{{bottom}}}"
            yield rf"\frac{{{single}}}{{-{bottom}}}"
        if factors == "1" and top < 10 and bottom < 10:
            yield rf"{sign}\frac{top}{bottom}"
    if factors != "1" and size != 1 and bottom == 1:
        yield rf"{sign}{top}\cdot {factors}"
        yield rf"{sign}{top} \times {factors}"
    if term.radicand != 1 and not term.letters and bottom == 1:
        yield rf"{sign}\sqrt{{{top * top * term.radicand}}}"
        yield rf"{sign}\frac{{{top * term.radicand}}}{{\sqrt{{{term.radicand}}}}}"


def near_misses(total: Sum) -> Iterator[Labelled]:
    """Sums that differ in one place; the differences are not zero, so the values are different."""
    name = kind(total)
    for changed in one_change(total):
        if changed.value != total.value:
            yield from other(name, printing.latex(changed, braced=True))
            yield from other("pyout", printing.python(changed))
    yield from other("power" if total.variables else name, *_wrong_operations(total))


def one_change(total: Sum) -> Iterator[Sum]:
    """The sum with one coefficient, sign, root, letter or term changed."""
    if not total.terms:
        yield terms.number(1)
        return
    last = len(total.terms) - 1
    for at in sorted({0, last}):
        term = total.terms[at]
        for changed in _changes(term):
            yield Sum((*total.terms[:at], changed, *total.terms[at + 1 :]))
    yield terms.scaled(total, -1)
    if last > 0:
        yield Sum(total.terms[:-1])
        yield Sum(total.terms[1:])


def _changes(term: Term) -> Iterator[Term]:
    value = term.coefficient
    step = 1 if value > 0 else -1
    yield dataclasses.replace(term, coefficient=Fraction(value.numerator + step, value.denominator))
    yield dataclasses.replace(term, coefficient=-value)
    if value.denominator > 1:
        yield dataclasses.replace(term, coefficient=Fraction(value.numerator, value.denominator + 1))
        yield dataclasses.replace(term, coefficient=1 / value)
    elif abs(value) > 9 and value % 10:
        yield dataclasses.replace(term, coefficient=value // 10 * 10)
    if term.radicand != 1:
        other_root = terms.root(term.radicand + 1)
        yield Term(value * other_root.coefficient, other_root.radicand, term.letters)
        yield Term(value, 1, term.letters)
    if term.letters:
        yield from _other_letters(term)


def _other_letters(term: Term) -> Iterator[Term]:
    (name, power), rest = term.letters[0], term.letters[1:]
    yield dataclasses.replace(term, letters=rest)
    if name != "i":
        yield dataclasses.replace(term, letters=((name, power + 1), *rest))
    if name not in ("pi", "i"):
        fresh = next(letter for letter in _LETTERS if letter not in dict(term.letters))
        yield dataclasses.replace(term, letters=tuple(sorted(((fresh, power), *rest))))


def _wrong_operations(total: Sum) -> Iterator[str]:
    """`4+\\sqrt{5}` for `4\\sqrt{5}`, a cube root for a square root, a multiplied exponent."""
    if len(total.terms) != 1:
        return
    term = total.terms[0]
    value = term.coefficient
    if term.radicand != 1 and not term.letters and value.denominator == 1:
        if value != 1:
            yield rf"{value}+\sqrt{{{term.radicand}}}"
        yield ("" if value == 1 else str(value) if value != -1 else "-") + rf"\sqrt[3]{{{term.radicand}}}"
    if len(term.letters) == 1 and value == 1 and term.radicand == 1:
        name, power = term.letters[0]
        if power > 1 and name != "pi":
            yield f"{power}{name}"
