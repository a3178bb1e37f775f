r"""Answers that name an exact value and its decimal: `\frac{1}{3}\approx 0.333`."""

from __future__ import annotations

import re

from rstar_jax.grading.vocabulary import GREEK

_APPROXIMATELY = re.compile(r"\\approx(?![a-z])|≈")
_DRESSING = re.compile(r"\\displaystyle|\\[\[\](),;! ]|[$\s]")
_NAME = re.compile(rf"(?:[A-Za-z]|\\(?:{'|'.join(sorted(GREEK))}))?(?:_\{{?\w*\}}?)?(?:\([a-z]\))?")
_DECIMAL = re.compile(r"\s*\\?\$?\s*-?\s*\d[\d,]*(?:\.\d*)?[^\d,;]{0,40}(?:\^\{?\d\}?)?\D{0,9}")
_LONGEST = 300  # characters


def both_sides(gold: str) -> tuple[str, ...]:
    r"""`\cos(e)\approx-0.912` is met by either side; `x\approx 4` says one thing."""
    exact = before_rounding(gold)
    return (gold,) if exact == gold else (gold, exact, _APPROXIMATELY.split(gold)[1])


def before_rounding(text: str) -> str:
    """An answer without the decimal that it gives beside the exact value, and without a sign in front."""
    if ("approx" not in text and "≈" not in text) or len(text) > _LONGEST:
        return text
    parts = _APPROXIMATELY.split(text)
    if len(parts) != 2 or parts[0].count("{") != parts[0].count("}"):
        return text
    exact = _DRESSING.sub("", parts[0])
    if not exact:
        return "".join(parts)
    return text if _NAME.fullmatch(exact) or not _DECIMAL.fullmatch(parts[1]) else parts[0]
