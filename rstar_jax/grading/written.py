"""Written numbers as fractions, and runs of letters as factors."""

from __future__ import annotations

import re
from fractions import Fraction

from rstar_jax.grading.expression import Number
from rstar_jax.grading.lexer import Token, Unreadable
from rstar_jax.grading.limits import MAX_DIGITS, MAX_EXPONENT, TooHard
from rstar_jax.grading.vocabulary import FUNCTIONS, GREEK, PYTHON_ONLY, SYMBOLS, UNITS, listed

_SCIENTIFIC = re.compile(r"(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d+))?$")
_REPEATING = re.compile(r"(\d*)\.(\d*)\\overline\s*\{?(\d+)\}?$")
_NOT_PRODUCTS = listed("is of to in the no yes odd not for all are by at on if so it an we be")
_MAX_PRODUCT = 20  # letters


def number(text: str) -> Number:
    """A written number as an exact fraction, with its significant digits and decimal places."""
    if len(text) > MAX_DIGITS:
        raise TooHard("long number")
    if match := _REPEATING.match(text):
        return Number(_repeating(*match.groups()))
    match = _SCIENTIFIC.match(text)
    if match is None:
        raise Unreadable(text)
    whole, decimals, exponent = (
        match[1] or "",
        match[2],
        int(match[3] or 0) if len(match[3] or "") < 9 else None,
    )
    if exponent is None or abs(exponent) > MAX_EXPONENT:
        raise TooHard("exponent")
    places = len(decimals or "")
    value = Fraction(int((whole + (decimals or "")) or 0)) * Fraction(10) ** (exponent - places)
    digits = len((whole + (decimals or "")).lstrip("0"))
    return Number(value, digits, places - exponent, decimal=decimals is not None or match[3] is not None)


def _repeating(whole: str, start: str, cycle: str) -> Fraction:
    scale = 10 ** len(start)
    head = Fraction(int((whole + start) or 0), scale)
    return head + Fraction(int(cycle), scale * (10 ** len(cycle) - 1))


def split_word(word: str) -> list[Token]:
    """`xy`, `lnx`, `xsint` as factors; a word of the language is no product (rule 12)."""
    if len(word) > _MAX_PRODUCT or word.lower() in _NOT_PRODUCTS or (word in UNITS and len(word) > 2):
        raise Unreadable(word)
    out: list[Token] = []
    at, named = 0, False
    while at < len(word):
        known = next((word[at:n] for n in range(len(word), at + 1, -1) if _is_name(word[at:n])), None)
        piece = known or word[at]
        named = named or known is not None
        if piece in FUNCTIONS and piece not in PYTHON_ONLY and len(piece) > 1:
            out.append(Token("function", FUNCTIONS[piece]))
        else:
            out.append(Token("name", SYMBOLS.get(piece, piece)))
        at += len(piece)
    if len(out) > (4 if named else 3):
        raise Unreadable(word)
    return out


def _is_name(piece: str) -> bool:
    return (
        piece in GREEK
        or piece == "pi"
        or (piece in FUNCTIONS and piece not in PYTHON_ONLY and piece.islower())
    )
