r"""Rules for numbers: decimals, thousands, mixed numbers, rounding, factors of a hundred, parts of an answer.

Label rule 2 decides about decimals: a terminating value has to be met exactly or as a float of twelve and more digits;
any other value may be rounded correctly to six and more digits; three and fewer are wrong; four and five are left out.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction

from rstar_jax.grading.rewriting import printing, sums, terms
from rstar_jax.grading.rewriting.labels import Labelled, other, same
from rstar_jax.grading.rewriting.terms import Sum

NOISE = Fraction(1, 10**9)  # a smaller relative error may be that of a float
_WORDS = re.findall(
    r"\w+",
    """
    zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen
    eighteen nineteen twenty
    """,
)
_TENS = re.findall(r"\w+", "twenty thirty forty fifty sixty seventy eighty ninety")
_VULGAR = {"1/2": "½", "1/4": "¼", "3/4": "¾", "1/3": "⅓", "2/3": "⅔", "1/8": "⅛", "3/8": "⅜", "5/8": "⅝", "1/5": "⅕"}


def rule(gold: str) -> Iterator[Labelled]:
    """Everything that is made of a gold that is one number."""
    total = terms.read(gold)
    if total is None or total.variables or not sums.small(total):
        return
    value = total.rational
    if value is not None:
        yield from _rational(value)
    if "i" not in total.names:
        yield from _rounding(total)
        yield from _parts(total)
    elif all(t.coefficient.denominator == 1 and t.radicand == 1 for t in total.terms):
        yield from _complex(total)


def _rational(value: Fraction) -> Iterator[Labelled]:
    decimal = printing.terminating(value)
    if value.denominator == 1:
        yield from _integer(int(value))
    else:
        top, bottom = value.numerator, value.denominator
        yield from same("frac", f"{top}/{bottom}", f"{top} / {bottom}", f"({top}/{bottom})")
        yield from same("pyout", f"Rational({top}, {bottom})", f"Fraction({top}, {bottom})", f"({top}/{bottom},)")
        yield from same("frac", *_mixed(value))
        yield from same("unicode", *_vulgar(value))
        if top != -bottom:
            yield from other("frac", rf"\frac{{{bottom}}}{{{top}}}", str(top))
    if decimal is not None and value.denominator > 1:
        yield from _decimal(value, decimal)
    yield from _factors(value)


def _integer(value: int) -> Iterator[Labelled]:
    yield from same("int", f"{value}.0", f"{value}.00", f"{value}.")
    yield from same("pyout", f"({value},)", f"np.float64({value}.0)", f"Integer({value})", f"{{{value}}}")
    yield from other("int", f"{value + 1}", f"{value - 1}", f"{value}.5", f"{10 * value + 1}")
    if value:
        yield from other("int", f"{-value}", f"1/{value}" if abs(value) != 1 else "2")
        yield from other("frac", rf"\frac{{{value}}}{{{abs(value) + 1}}}")
    if value > 0:
        yield from same("int", f"+{value}")
        yield from same("money", rf"\${value}", f"${value}")
        yield from same("unit", f"{value} apples", rf"{value}\text{{ cm}}", f"{value} ways", rf"{value}\mathrm{{~km}}")
        yield from other("unit", f"{value + 1} apples", f"{value}x", rf"{value}\pi", rf"{value + 1}\text{{ cm}}")
    if 0 <= value < 100:
        yield from same("word_number", number_word(value), rf"\text{{{number_word(value)}}}")
        yield from other("word_number", number_word(value + 1))
    if abs(value) >= 1000:
        yield from _thousands(value)


def number_word(value: int) -> str:
    """`seven`, `forty-two`, for 0 to 100."""
    if value <= 20 or value == 100:
        return _WORDS[value] if value <= 20 else "one hundred"
    tens, ones = divmod(value, 10)
    return _TENS[tens - 2] + (f"-{_WORDS[ones]}" if ones else "")


def _thousands(value: int) -> Iterator[Labelled]:
    grouped = f"{value:,}"
    marks = ("{,}", ",\\!", "\\,")
    yield from same("thousands", grouped, f"{grouped}.0", *(grouped.replace(",", mark) for mark in marks))
    groups = grouped.split(",")
    yield from other("thousands", f"{value + 1:,}", groups[0], f"({', '.join(groups)})", f"{value // 10:,}")
    zeros = len(str(value)) - len(str(value).rstrip("0"))
    if zeros >= 3:
        head = value // 10**zeros
        yield from same("bigint", rf"{head}\times 10^{{{zeros}}}", rf"{head} \cdot 10^{zeros}", f"{head}e{zeros}")
        yield from other("bigint", rf"{head}\times 10^{{{zeros + 1}}}", f"{head}e{zeros - 1}")
    if abs(value) >= 10**5:
        yield from other("tolerance_trap", f"{value + 1}", f"{value - 1}", f"{value}.5", f"{value / 7:.3f}")
        yield from other("tolerance_trap", *(t for t in (f"{value:.3e}", f"{value // 10}0") if Fraction(t) != value))


def _mixed(value: Fraction) -> Iterator[str]:
    whole, rest = divmod(abs(value), 1)
    if whole and rest:
        sign, top, bottom = "-" if value < 0 else "", rest.numerator, rest.denominator
        yield rf"{sign}{whole}\frac{{{top}}}{{{bottom}}}"
        yield f"{sign}{whole} {top}/{bottom}"
        if top < 10 and bottom < 10:
            yield rf"{sign}{whole}\frac{top}{bottom}"
        if not sign:
            yield f"{whole} + {top}/{bottom}"


def _vulgar(value: Fraction) -> Iterator[str]:
    whole, rest = divmod(abs(value), 1)
    if (sign := _VULGAR.get(str(rest))) is not None:
        yield ("-" if value < 0 else "") + (str(whole) if whole else "") + sign


def _decimal(value: Fraction, text: str) -> Iterator[Labelled]:
    """A fraction whose decimal ends: exact, or with the noise of a float."""
    yield from same("decimal", text, text + "0", text + "00", text.replace("0.", ".", 1) if abs(value) < 1 else text)
    wrong = (text[:-1] + str((int(text[-1]) + 1) % 10), text[:-1] + "0", text + "1")
    yield from other("decimal", *(t for t in wrong if abs(Fraction(t) - value) > abs(value) * NOISE))
    noisy = math.nextafter(float(value), math.inf)
    if len(repr(noisy)) > 16 and "e" not in repr(noisy):
        yield from same("decimal", repr(noisy))


def _factors(value: Fraction) -> Iterator[Labelled]:
    """A gold without a percent sign never allows a factor of a hundred (label rule 3)."""
    if not value:
        return
    for factor in (Fraction(100), Fraction(1, 100), Fraction(10), Fraction(1, 10)):
        text = printing.terminating(value * factor)
        if text is not None:
            yield from other("percent_trap", text)
        elif factor > 1:
            yield from other("percent_trap", printing.latex(terms.number(value * factor)))


def _rounding(total: Sum) -> Iterator[Labelled]:
    value = printing.real(total)
    exact = total.rational
    if exact is not None and terminating(exact):
        for digits in (1, 2, 3, 4, 6, 8):
            text = printing.rounded(value, digits)
            if abs(Fraction(text) - exact) > abs(exact) * NOISE:
                yield from other("tolerance_trap", text)
        return
    yield from same("decimal_approx", *(printing.rounded(value, digits) for digits in (6, 8, 10, 15)))
    yield from same("pyout", repr(float(value)) if "e" not in repr(float(value)) else printing.rounded(value, 16))
    yield from other("decimal_approx", *(printing.rounded(value, digits) for digits in (1, 2, 3)))
    eight = Decimal(printing.rounded(value, 8))
    step = Decimal(1).scaleb(eight.adjusted() - 7)
    yield from other("decimal_approx", format(eight + 3 * step, "f"), format(eight - 3 * step, "f"))
    if exact is None:
        yield from other("percent_trap", printing.rounded(value * 100, 8), printing.rounded(value / 100, 8))


def terminating(value: Fraction) -> bool:
    rest = value.denominator
    for prime in (2, 5):
        while rest % prime == 0:
            rest //= prime
    return rest == 1


def _parts(total: Sum) -> Iterator[Labelled]:
    """One answer is asked for: another one beside it is wrong (label rule 5)."""
    text = printing.latex(total)
    more = printing.latex(next(c for c in sums.one_change(total) if c.value != total.value)) if total.terms else "7"
    yield from other("partial", f"{text},{more}", f"{text} or {more}", rf"\{{{text},{more}\}}", f"({text},{more})")
    yield from other("partial", rf"{text}\text{{ and }}{more}", f"x={text}, x={more}", f"[{text}, {more}]")
    if total.terms:
        opposite = printing.latex(terms.scaled(total, -1))
        yield from other("partial", f"{text},{opposite}", f"{opposite} or {text}")
        if len(total.terms) == 1:
            positive = text.removeprefix("-")
            yield from other("partial", rf"\pm {positive}", rf"\pm{{{positive}}}")
    yield from same("equation", f"x = {text}", f"x={text}")
    yield from other("equation", f"x={more}", f"y = {more}")


def _complex(total: Sum) -> Iterator[Labelled]:
    parts = {bool(t.letters): int(t.coefficient) for t in total.terms}
    a, b = parts.get(False, 0), parts.get(True, 0)
    if a and b:
        yield from same("complex", f"({a}{b:+d}j)", f"{a}.0 {'+' if b > 0 else '-'} {abs(b)}.0*I")
        yield from same("complex", f"{b}i+{a}" if a > 0 else f"{b}i-{-a}")
        yield from other("complex", f"({a}{-b:+d}j)")
        if abs(a) != abs(b):
            yield from other("complex", f"{b}{'+' if a > 0 else '-'}{abs(a)}i", f"({b}{a:+d}j)")
