r"""Rules for any gold, read or not: dressing around the whole, and predictions that equal nothing (label rule 9)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from rstar_jax.grading.rewriting.labels import Labelled, other, same

_FIXED_SPACES = re.compile(r"\\begin|\\(?:text|mbox|mathrm)|\\!|\d,\S*\d{3}|\{,\}")  # words, thousands, row ends
_INVALID = ("", " ", "None", "nan", "[]", "Traceback (most recent call last):", "ZeroDivisionError: division by zero")
_ELSEWHERE = "8675309"  # a number that no gold holds


def rule(gold: str) -> Iterator[Labelled]:
    """Everything that is made of a gold without reading it."""
    text = gold.strip(" \n")
    if not text:
        yield from other("empty_gold", *_INVALID, "0", "5", "x")
        return
    if text in _INVALID or text == "N/A" or text.startswith(("['", '["')):
        return
    yield from other("invalid", "", "None", f"Traceback (most recent call last): {text}", f"{{{text}")
    if _ELSEWHERE not in text:
        yield from other("invalid", f"I am sorry, my {_ELSEWHERE} attempts at a proof all failed.")
        yield from other("partial", f"{text}, {_ELSEWHERE}" if _ends_open(text) else _ELSEWHERE)
    if _balanced(text) and not text.endswith("\\"):
        yield from _dressed(text)


def _dressed(text: str) -> Iterator[Labelled]:
    yield from same("wrap", text, f" {text} ", rf"\boxed{{{text}}}")
    if not text.endswith("."):
        yield from same("wrap", f"{text}.")
    if "$" not in text and r"\[" not in text and r"\(" not in text:
        yield from same("wrap", f"${text}$", rf"\({text}\)", rf"\[{text}\]", rf"\displaystyle {text}", f"$${text}$$")
        yield from same("wrap", f"$\\boxed{{{text}}}$.")
    for old, new in ((r"\frac", r"\dfrac"), (r"\frac", r"\tfrac"), (r"\dfrac", r"\frac"), (r"\tfrac", r"\frac")):
        if old in text:
            yield from same("wrap", text.replace(old, new))
    if "\\left" in text and not re.search(r"\\(?:left|right)(?:[a-z.\\|]|\s)", text):
        yield from same("wrap", re.sub(r"\\(?:left|right)", "", text))
    if not _FIXED_SPACES.search(text):
        yield from same("wrap", re.sub(r"\s*([=+,])\s*", r" \1 ", text))


def _balanced(text: str) -> bool:
    depth = 0
    for match in re.finditer(r"\\.|[{}]", text, re.DOTALL):
        depth += (match.group() == "{") - (match.group() == "}")
        if depth < 0:
            return False
    return depth == 0


def _ends_open(text: str) -> bool:
    """Whether something behind a comma is certainly one more element, not the end of a clause or of thousands."""
    return _balanced(text) and len(text) < 200 and not text.endswith((".", ","))
