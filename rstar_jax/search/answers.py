r"""The final answer of an answer step.

The plain reading is `rstar_jax.grading`'s strict one. The released one is here, because which steps end a
path, and so the tree, hangs on it: a step with an empty answer is an ordinary step (upstream items 24, 25).
"""

from __future__ import annotations

from collections.abc import Callable

from rstar_jax.grading import extract_answer
from rstar_jax.trajectory.steps import Reading

Extract = Callable[[str], str]
"""Text of an answer step → its final answer, "" if it has none."""

_BOX = r"\boxed{"
_TEXT = r"\text{"
_INVALID = "[invalid]"  # what the released code answers where it fails on the text


def extractor(reading: Reading) -> Extract:
    """The extraction that belongs to a reading."""
    return released_answer if reading == "released" else lambda text: extract_answer(text) or ""


def released_answer(text: str) -> str:
    r"""As the authors read it: of the text up to its first ".\n" the last `\boxed{}`, without `\text{}`.

    Without a box that whole first part is the answer, its tags included.
    """
    text = text.partition(".\n")[0].strip().removesuffix(".").strip()
    place = text.rfind(_BOX)
    if place >= 0:
        text = _boxed(text[place:], place)
    return _without_text(text)


def _boxed(text: str, place: int) -> str:
    """The inside of the box that `text` begins with. For a box that never ends, what the released code
    happens to return: the rest after the last group that was closed in it, or after `place` more
    characters."""
    opened: list[int] = []
    last = place
    for index, letter in enumerate(text):
        if letter == "{":
            opened.append(index)
        elif letter == "}":
            last = opened.pop()
            if not opened:
                return text[last + 1 : index]
    return text[last + 1 :]


def _without_text(text: str) -> str:
    before, found, rest = text.partition(_TEXT)
    if not found:
        return text
    end = _closing(rest)
    if end is None:
        return _INVALID
    inside = rest[:end].strip()
    return (before + ("" if inside == "and" else inside) + rest[end + 1 :]).strip()


def _closing(text: str) -> int | None:
    """Index of the brace that closes a group opened before `text`."""
    depth = 1
    for index, letter in enumerate(text):
        depth += (letter == "{") - (letter == "}")
        if depth == 0:
            return index
    return None
