r"""Rules for numbers with a mark: per cent, degrees, money, units (label rules 3 and 4)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction

from rstar_jax.grading.rewriting import printing, terms
from rstar_jax.grading.rewriting.labels import Labelled, other, same

_PERCENT = re.compile(r"(.+?)\\?%")
_DEGREE = re.compile(r"(.+?)(?:\^\{?\\circ\}?|°|\\text\{degrees\})")
_MONEY = re.compile(r"\\\$(.+)")
_UNIT = re.compile(r"(.+?)(?:\\,|~|\\)?\\(?:text|mbox|mathrm)\{([a-z]+)\}(?:\^\{?([23])\}?)?")
_UNITS = {  # other names of a unit, and one of the same kind that is not it
    "cm": (("centimeters",), "m"), "m": (("meters",), "cm"), "km": (("kilometers",), "m"),
    "mm": (("millimeters",), "m"), "meters": (("m",), "feet"), "inches": (("inch", "in"), "feet"),
    "feet": (("ft",), "inches"), "ft": (("feet",), "inches"), "miles": (("mi",), "feet"),
    "hours": (("hr", "hrs", "hour"), "minutes"), "minutes": (("min", "mins"), "hours"),
    "seconds": (("sec",), "minutes"), "days": (("day",), "weeks"),
    "grams": (("g",), "kilograms"), "kg": (("kilograms",), "grams"), "cents": (("cent",), "dollars"),
    "dollars": (("dollar",), "cents"), "years": (("year",), "days"), "units": ((), "inches"),
}  # fmt: skip


def rule(gold: str) -> Iterator[Labelled]:
    """Everything that is made of a gold that is a number with a mark."""
    text = terms.compact(gold.replace(r"\ ", " "))
    for pattern, build in ((_PERCENT, _percent), (_DEGREE, _degree), (_MONEY, _money)):
        if (match := pattern.fullmatch(text)) and (value := _number(match[1])) is not None:
            yield from build(value)
            return
    if (match := _UNIT.fullmatch(text)) and (value := _number(match[1])) is not None and match[2] in _UNITS:
        yield from _unit(value, match[2], match[3] or "")


def _number(text: str) -> Fraction | None:
    """A positive rational number."""
    total = terms.read(text)
    value = total.rational if total is not None else None
    return value if value is not None and value > 0 else None


def _text(value: Fraction) -> str:
    return printing.terminating(value) or printing.latex(terms.number(value))


def _percent(value: Fraction) -> Iterator[Labelled]:
    text, part = _text(value), value / 100
    yield from same(
        "percent", rf"{text}\%", f"{text}%", rf"{text} \%", text, f"{text} percent", rf"{text}\text{{ percent}}"
    )
    yield from same("percent", _text(part), printing.latex(terms.number(part)), f"{part.numerator}/{part.denominator}")
    for wrong in (value * 100, value / 10000, value * 10, value / 10):
        if wrong not in (value, part):
            yield from other("percent", _text(wrong))
    yield from other("percent", rf"{_text(value + 1)}\%", rf"{_text(value * 10)}\%", rf"{_text(part)}\%", _text(-value))
    yield from other("percent", _text(value + Fraction(1, 2)), _text(part + Fraction(1, 100)))


def _degree(value: Fraction) -> Iterator[Labelled]:
    text = _text(value)
    yield from same("degree", rf"{text}^\circ", rf"{text}^{{\circ}}", f"{text}°", text, f"{text} degrees")
    yield from same("degree", rf"{text}\text{{ degrees}}", rf"{text} ^\circ", rf"\angle ABC = {text}^\circ")
    yield from other("degree", rf"{_text(value + 1)}^\circ", _text(value * 10), rf"-{text}^\circ", rf"{text}\pi")
    yield from other("degree", f"{text} radians", rf"{text}\text{{ radians}}")
    if value != 90:
        yield from other("degree", rf"{_text(abs(180 - value))}^\circ" if value != 180 else r"0^\circ")


def _money(value: Fraction) -> Iterator[Labelled]:
    text = printing.terminating(value)
    if text is None:
        return
    yield from same("money", rf"\${text}", f"${text}", text, f"{text} dollars", rf"{text}\text{{ dollars}}")
    grouped = f"{int(value):,}" + text[len(str(int(value))) :]
    yield from same("money", rf"\${grouped}", grouped)
    yield from other("money", rf"\${_text(value + 1)}", _text(value * 100), _text(value + Fraction(1, 100)))
    yield from other("money", f"{text} cents", rf"{text}\text{{ euros}}")
    if value.denominator > 1:
        yield from other("money", str(int(value)))


def _unit(value: Fraction, unit: str, power: str) -> Iterator[Labelled]:
    text, (names, wrong) = _text(value), _UNITS[unit]
    tail = f"^{power}" if power else ""
    yield from same(
        "unit", text, f"{text} {unit}{tail}", rf"{text}\text{{ {unit}}}{tail}", rf"{text}\,\mathrm{{{unit}}}{tail}"
    )
    yield from same("unit", rf"{text}~\text{{{unit}}}{tail}", *(rf"{text}\text{{ {name}}}{tail}" for name in names))
    yield from same("unit", *(f"{text} {name}{tail}" for name in names))
    if power:
        word = {"2": "square", "3": "cubic"}[power]
        yield from same("unit", f"{text} {word} {names[0] if names else unit}", rf"{text}\text{{ {word} {unit}}}")
        yield from other("unit", rf"{text}\text{{ {unit}}}^{5 - int(power)}", f"{text} {word} {wrong}")
    else:
        yield from other("unit", rf"{text}\text{{ {unit}}}^2")
    yield from other("unit", f"{text} {wrong}{tail}", rf"{text}\text{{ {wrong}}}{tail}")
    yield from other("unit", rf"{_text(value + 1)}\text{{ {unit}}}{tail}", _text(value * 10), _text(value / 100))
