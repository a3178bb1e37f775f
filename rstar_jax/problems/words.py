"""A question as words, for comparing questions."""

from __future__ import annotations

import re

from rstar_jax.problems.splits import normalised_question

_TOKEN = re.compile(r"\d+(?:\.\d+)?|[^\W\d_]+|[^\w\s]")
_PUNCTUATION = frozenset(".,;:!?\"'`~()[]{}\\")
_DRAWING = re.compile(r"\[asy\].*?\[/asy\]", re.DOTALL)  # drawings begin alike, whatever they show
_NUMBER = re.compile(r"\d+(?:\.\d+)?")


def words(question: str) -> list[str]:
    """Words, numbers and signs in order, without case, spaces, dollar signs, brackets, punctuation and drawings."""
    text = normalised_question(_DRAWING.sub(" ", question))
    return [token for token in _TOKEN.findall(text) if token not in _PUNCTUATION]


def numbers(question: str) -> tuple[str, ...]:
    """The numbers of a question, sorted."""
    return tuple(sorted(_NUMBER.findall(question)))


def common_subsequence(one: list[str], other: list[str]) -> int:
    """Length of the longest common subsequence, by the bits of whole numbers (Hyyro 2004)."""
    places: dict[str, int] = {}
    for place, word in enumerate(one):
        places[word] = places.get(word, 0) | 1 << place
    row = everywhere = (1 << len(one)) - 1
    for word in other:
        matched = row & places.get(word, 0)
        row = (row + matched | row - matched) & everywhere
    return len(one) - row.bit_count()
