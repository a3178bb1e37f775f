r"""Answers that name an exact value and its decimal: `\frac{1}{3}\approx 0.333`."""

from __future__ import annotations

import re

from rstar_jax.grading.vocabulary import GREEK

_APPROXIMATELY = re.compile(r"\\approx|≈")
_NAME = re.compile(rf"[\s$({{]*(?:[A-Za-z]|\\(?:{'|'.join(sorted(GREEK))}))?(?:_\{{?\w*\}}?)?(?:\([a-z]\))?[\s$]*")
_LONGEST = 300  # characters


def both_sides(gold: str) -> tuple[str, ...]:
    r"""`\cos(e)\approx-0.912` is met by either side; `x\approx 4` says one thing."""
    exact = before_rounding(gold)
    return (gold,) if exact == gold else (gold, exact, _APPROXIMATELY.split(gold)[1])


def before_rounding(text: str) -> str:
    """An answer without the decimal that it gives beside the exact value."""
    parts = _APPROXIMATELY.split(text) if len(text) < _LONGEST else [text]
    if len(parts) != 2 or not all(part.strip() for part in parts) or _NAME.fullmatch(parts[0]):
        return text
    return parts[0]
