r"""The final answer in a response: what stands in `\boxed{..}` (upstream semantics items 24, 25)."""

from __future__ import annotations

from typing import Literal

from rstar_jax.grading.lexer import closing_brace
from rstar_jax.trajectory.tags import ANSWER, END_OF_ANSWER

Semantics = Literal["strict", "released"]
_BOXED = ("\\boxed", "\\fbox")


def extract_answer(text: str, semantics: Semantics = "strict") -> str | None:
    r"""The answer, or None.

    strict: the last complete `\boxed{..}` of the answer block (the whole text if it has no block).
    released: the text is cut at its first ".\n", then the last "boxed" anywhere counts, else the cut text
    itself, as in the published code (item 25: "There are 5 apples.\nSo \boxed{5}" yields the words).
    """
    if semantics == "strict":
        return _last_boxed(_answer_block(text))
    return _released(text)


def _answer_block(text: str) -> str:
    _, opened, block = text.rpartition(ANSWER)
    return block.partition(END_OF_ANSWER)[0] if opened else text


def _last_boxed(text: str) -> str | None:
    end = len(text)
    while (start := max(text.rfind(mark, 0, end) for mark in _BOXED)) >= 0:
        brace = text.find("{", start)
        if brace >= 0 and text[start:brace].strip() in _BOXED:
            close = closing_brace(text, brace)
            if close is not None and text[brace + 1 : close].strip():
                return text[brace + 1 : close].strip()
        end = start
    return None


def _released(text: str) -> str | None:
    _, opened, block = text.rpartition(ANSWER)
    text = (block if opened else text).replace(END_OF_ANSWER, "").partition(".\n")[0]
    _, found, rest = text.rpartition("boxed")
    if not found:
        return text.strip() or None
    if rest.startswith("{"):
        close = closing_brace(rest, 0)
        return rest[1 : close if close is not None else len(rest)].strip() or None
    return rest.partition("$")[0].strip() or None
