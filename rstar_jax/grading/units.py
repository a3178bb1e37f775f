"""Units behind a value (rule 8): `12 cm^2`, `3\\text{ hours}`, `25\\mathrm{~m}/\\mathrm{min}`, `\\$18`."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator

from rstar_jax.grading.brackets import Tokens, is_op
from rstar_jax.grading.expression import Expression, apply, integer
from rstar_jax.grading.lexer import Token, Unreadable
from rstar_jax.grading.parser import parse
from rstar_jax.grading.vocabulary import UNIT_FILLERS, UNITS
from rstar_jax.grading.written import split_word

_CURRENCY = {"$": "dollar", "€": "euro", "£": "pound", "¥": "yuan", "￥": "yuan", "\\pounds": "pound"}
_PIECES = re.compile(r"[A-Za-z']+|\d+|\^|/")
_POWERS = {"square": "2", "sq": "2", "squared": "2", "cubic": "3", "cubed": "3", "cu": "3"}
_MAX_WORDS = 10
_MAX_LETTER_UNITS = 3


def currency(tokens: Tokens) -> tuple[Tokens, str]:
    """Takes a currency sign off either end, also behind a minus sign."""
    if tokens and is_op(tokens[0], *_CURRENCY):
        return tokens[1:], _CURRENCY[tokens[0].text]
    if len(tokens) > 1 and is_op(tokens[0], "-") and is_op(tokens[1], *_CURRENCY):
        return tokens[:1] + tokens[2:], _CURRENCY[tokens[1].text]
    if tokens and is_op(tokens[-1], *_CURRENCY):
        return tokens[:-1], _CURRENCY[tokens[-1].text]
    return tokens, ""


def suffix(tokens: Tokens) -> tuple[Tokens, str]:
    """Splits off the unit: from the first unit word on, if only unit words, powers and slashes follow."""
    start = next((at for at, token in enumerate(tokens) if at > 0 and _is_unit_word(token)), None)
    if start is None:
        return tokens, ""
    rest = tokens[start:]
    if not all(_may_follow(token) for token in rest):
        return tokens, ""
    head = tokens[:start]
    if is_op(head[-1], "{") and is_op(rest[-1], "}"):  # 12{cm}
        head, rest = head[:-1], rest[:-1]
    words = " ".join("%" if is_op(t, "%") else t.text for t in rest)
    return (head, canonical(words)) if head else (tokens, "")


def canonical(text: str) -> str:
    """One name per unit: `sq. cm` and `cm squared` are centimeter^2; fillers and plurals do not count."""
    text = text.replace("{", " ").replace("}", " ")
    pieces = _PIECES.findall(text)
    if len(pieces) > _MAX_WORDS:
        raise Unreadable("a sentence, not a unit")
    out: list[str] = []
    pending = ""
    for at, piece in enumerate(pieces):
        power = _POWERS.get(piece.lower())
        if piece == "per":
            out.append("/")
        elif piece in UNIT_FILLERS:
            continue
        elif (
            power and at + 1 < len(pieces) and pieces[at + 1].isalpha() and piece not in ("squared", "cubed")
        ):
            pending = "^" + power
        elif power:
            out.append("^" + power)
        elif piece == "^":
            continue
        elif piece.isdigit():
            out.append("^" + piece)
        elif piece == "/":
            out.append("/")
        else:
            out.append(_singular(piece) + pending)
            pending = ""
    return " ".join(out).replace(" ^", "^").replace(" / ", "/")


def _singular(word: str) -> str:
    if word in UNITS:
        return UNITS[word]
    word = word.lower()
    if word in UNITS:
        return UNITS[word]
    return word[:-1] if word.endswith("s") and not word.endswith("ss") and len(word) > 3 else word


def as_products(unit: str) -> Iterator[Expression]:
    """The letters of a short unit as variables: without a text mark, `12 m/s` reads as a product and a quotient."""
    pieces = [piece for piece in re.split(r"[ /]", unit) if piece]
    marks = re.findall(r"[ /]", unit)
    written = [list(_letters(piece)) for piece in pieces]
    if len(marks) + 1 != len(pieces) or len(pieces) > _MAX_LETTER_UNITS:
        return
    for factors in itertools.product(*written):
        tree = factors[0]
        for mark, factor in zip(marks, factors[1:], strict=True):
            tree = apply("div" if mark == "/" else "mul", tree, factor)
        yield tree


def _letters(piece: str) -> Iterator[Expression]:
    """`meter^2` as m^2; one expression for each short name."""
    base, _, power = piece.partition("^")
    for word, name in UNITS.items():
        if name == base and len(word) <= 2 and (power.isdigit() or not power):
            tree = parse(split_word(word))
            yield apply("pow", tree, integer(int(power))) if power else tree


def agree(a: str, b: str) -> bool:
    """A unit may be left out; a different one is wrong. `5 apples` and `5 red apples` name the same thing."""
    if not a or not b or a == b:
        return True
    first, second = set(a.split()), set(b.split())
    return first <= second or second <= first


def _is_unit_word(token: Token) -> bool:
    if token.kind == "text":
        return len(token.text) > 1 or token.text in UNITS
    if token.kind != "word":
        return False
    if token.text in UNITS or token.text.lower() in UNITS or token.text in _POWERS:
        return True
    try:
        split_word(token.text)
    except Unreadable:
        return True
    return False


def _may_follow(token: Token) -> bool:
    if token.kind in ("text", "word"):
        return True
    if token.kind in ("name", "number"):
        return len(token.text) == 1
    return is_op(token, "^", "/", "{", "}", ".", "*")
