"""What a rule yields: a prediction with its label and kind."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple


class Labelled(NamedTuple):
    """A rewriting of a gold (`match`), or a near miss; `kind` in the vocabulary of the grading notes."""

    pred: str
    match: bool
    kind: str


def same(kind: str, *texts: str) -> Iterator[Labelled]:
    return (Labelled(text, True, kind) for text in texts)


def other(kind: str, *texts: str) -> Iterator[Labelled]:
    return (Labelled(text, False, kind) for text in texts)
