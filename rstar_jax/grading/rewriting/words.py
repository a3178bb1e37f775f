r"""Rules for answers that are no mathematics, or digits that are no decimal number: choices, words, bases, times."""

from __future__ import annotations

import re
from collections.abc import Iterator

from rstar_jax.grading.rewriting.labels import Labelled, other, same

_CHOICE = re.compile(r"\(?(?:\\text(?:bf)?\{)?\(?([A-E])\)?\}?\)?\.?")
_WORD = re.compile(r"(?:\\text\{\s*)?([A-Za-z]{3,}(?: [A-Za-z]{2,}){0,2})\s*\}?\.?")
_BASE = re.compile(r"(\d+)_(?:\{(\d+)\}|(\d))")
_TIME = re.compile(r"(\d{1,2}):(\d\d)")
_SPECIAL = re.compile(  # words that mean a set, a number or another word
    r"\b(?i:no|none|not|and|or|yes|true|false|all|any|every|empty|real|reals|undefined|infinite|infinity|exist|exists|"
    r"solution|zero|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|hundred|dne|pi|sin|cos|tan|log|"
    r"the|an|is|nan|null|error|only|never|always)\b"
)
_WRONG = ("hyperbola", "Wednesday", "blue")


def rule(gold: str) -> Iterator[Labelled]:
    """Everything that is made of a gold that is one of these."""
    text = gold.strip().strip("$").strip()
    if match := _CHOICE.fullmatch(text):
        yield from _choice(match[1])
    elif match := _BASE.fullmatch(re.sub(r"\s", "", text)):
        yield from _base(match[1], int(match[2] or match[3]))
    elif match := _TIME.fullmatch(text):
        yield from _time(match[1], match[2])
    elif (match := _WORD.fullmatch(text)) and _is_word(text, match[1]):
        yield from _word(match[1])


def _is_word(text: str, word: str) -> bool:
    """Whether it certainly names something; short words without a text mark may be products of letters."""
    if _SPECIAL.search(word) or text.count("{") != text.count("}") or word.lower() in map(str.lower, _WRONG):
        return False
    return text.startswith("\\text") or len(word) > 4


def _choice(letter: str) -> Iterator[Labelled]:
    yield from same("choice", letter, f"({letter})", rf"\text{{{letter}}}", rf"\text{{({letter})}}", f"{letter}.")
    yield from same("choice", rf"\mathrm{{{letter}}}", rf"\textbf{{({letter})}}", f" {letter} ", f"({letter}).")
    yield from same("choice", f"The answer is {letter}", f"{letter}) 12", f"Option {letter}", f"**{letter}**")
    wrong = "ABCDE"[("ABCDE".index(letter) + 1) % 5]
    yield from other("choice", wrong, f"({wrong})", rf"\text{{({wrong})}}", f"{letter}{wrong}", f"{letter.lower()}+1")
    yield from other(
        "choice", "5", "", f"{wrong}.", f"The answer is {wrong}", f"{letter}*{wrong}", rf"\{{{letter},{wrong}\}}"
    )


def _word(word: str) -> Iterator[Labelled]:
    yield from same("word", word, word.lower(), word.upper(), word.capitalize(), f"{{{word}}}", f"{word}.")
    yield from same(
        "word", rf"\text{{{word}}}", rf"\textbf{{{word}}}", rf"\text{{ {word.lower()} }}", rf"\mbox{{{word}}}"
    )
    if " " not in word:
        yield from same("word", rf"\mathrm{{{word}}}")
    yield from other("word", *_WRONG, *(rf"\text{{{wrong}}}" for wrong in _WRONG))
    yield from other("word", word[0], word[:-1], f"not {word}", "1", f"{word} or {_WRONG[0]}", f"non{word}")


def _base(digits: str, base: int) -> Iterator[Labelled]:
    if any(int(d) >= base for d in digits) or digits.startswith("0") or base == 10:
        return
    yield from same("base", f"{digits}_{base}" if base < 10 else f"{digits}_{{{base}}}", f"{digits}_{{{base}}}")
    yield from same("base", f"({digits})_{{{base}}}", f"{digits}_{{ {base} }}", rf"{digits}_{{\text{{{base}}}}}")
    wrong = digits[:-1] + str((int(digits[-1]) + 1) % base)
    yield from other(
        "base", f"{digits}_{{{base + 1}}}", f"{wrong}_{{{base}}}", f"{digits}0_{{{base}}}", f"{digits}_{{{base - 1}}}"
    )
    if digits != digits[::-1]:
        yield from other("base", f"{digits[::-1]}_{{{base}}}")


def _time(hours: str, minutes: str) -> Iterator[Labelled]:
    yield from same("time", f"{hours}:{minutes}", f"{hours} : {minutes}", rf"\text{{{hours}:{minutes}}}")
    later = f"{(int(minutes) + 1) % 60:02d}"
    yield from other("time", f"{hours}:{later}", f"{int(hours) % 12 + 1}:{minutes}", f"{hours}{minutes}", hours)
    if int(hours) != int(minutes):
        yield from other("time", f"{int(minutes)}:{int(hours):02d}")
