"""The first stage of the strict grader: a verdict in a millisecond, or "unknown" (recommendation 2)."""

from __future__ import annotations

import functools
import re
from typing import Literal

from rstar_jax.grading import compare, structure, words
from rstar_jax.grading.alternatives import golds
from rstar_jax.grading.forms import Answer
from rstar_jax.grading.lexer import BRACES, Unreadable
from rstar_jax.grading.limits import TooHard
from rstar_jax.grading.notation import strict_clean
from rstar_jax.grading.rounding import before_rounding, both_sides
from rstar_jax.grading.vocabulary import INVALID_WORDS

Verdict = Literal["equal", "different", "unknown"]

_MAX_MISSING = 2
_GAP = re.compile(r"(?<!\d)\s+|\s+(?!\d)")  # 1 2 is not 12
_FRACTION = re.compile(r"[dt]frac(?![a-z])")
_ERROR = re.compile(r"Traceback|[A-Za-z]*(?:Error|Exception)\b|^<[\w.]+ object")
_ERROR_TEXT = re.compile(r"\W*(?:text\W+)?error\b")


def verdict(answer: str, truth: str) -> Verdict:
    """Whether `answer` equals the gold answer `truth`, as far as the first stage can tell. Never raises on
    text.

    A gold that is a list of strings is met by any of them (rule 16).
    """
    answer = before_rounding(answer)
    verdicts = {_one(answer, text) for gold in golds(truth) for text in both_sides(gold)}
    return "equal" if "equal" in verdicts else "unknown" if "unknown" in verdicts else "different"


def _one(answer: str, truth: str) -> Verdict:
    gold, given = strict_clean(closed(truth)), strict_clean(answer)
    if gold is None or given is None or is_invalid(gold):
        return "different"
    if is_invalid(given):  # a gold that lacks a brace still equals its own text
        return "equal" if answer.strip() == truth.strip() and not _balanced(given) else "different"
    if gold == given:
        return "equal"
    if words.is_choice(gold):
        return "equal" if words.choice(gold) == words.choice(given) else "different"
    if words.is_composed(gold):
        return "equal" if _unspaced(gold) == _unspaced(given) else "different"
    if words.says_otherwise(gold, given):
        return "different"
    try:
        same = compare.equal(read(gold), read(given))
    except Unreadable:
        return "equal" if _same_text(gold, given) else _undecided(gold, given)
    except TooHard:
        return _undecided(gold, given)
    return "unknown" if same is None else "equal" if same else "different"


def _unspaced(text: str) -> str:
    return words.normal(text).replace(" ", "")


def _undecided(gold: str, given: str) -> Verdict:
    """Prose is no answer to a question for mathematics; whoever searches it for a number finds a stray one."""
    if words.is_prose(given) and not words.is_prose(gold):
        return "different"
    return "unknown" if _goes_on(gold) == _goes_on(given) else "different"


def _goes_on(text: str) -> bool:
    """Whether dots stand for more than is written."""
    return "dots" in text or "..." in text


def is_invalid(text: str) -> bool:
    """Rule 15: empty, None, nan, `[]`, error text, unbalanced braces."""
    bare = words.plain(text) if len(text) < 40 else text
    if text in ("{}", "\\{\\}"):
        return False  # the empty set
    return (
        not bare or bare == "None" or bare.lower() in INVALID_WORDS or is_error(text) or not _balanced(text)
    ) or _ERROR_TEXT.match(text) is not None


def is_error(text: str) -> bool:
    """Whether it is what a failed program printed."""
    return _ERROR.search(text[:300]) is not None


def closed(gold: str) -> str:
    """With the last braces that a few benchmark golds lack; a prediction gets no such help."""
    missing = _depth(gold)
    return gold + "}" * missing if 0 < missing <= _MAX_MISSING else gold


def _balanced(text: str) -> bool:
    return _depth(text) == 0


def _depth(text: str) -> int:
    """How many braces stay open; -1 if one closes that none opened."""
    depth = 0
    for match in BRACES.finditer(text):
        depth += (match.group() == "{") - (match.group() == "}")
        if depth < 0:
            return -1
    return depth


@functools.lru_cache(maxsize=8192)
def read(text: str) -> Answer:
    """The structure of a cleaned text."""
    return structure.read(text)


def _same_text(a: str, b: str) -> bool:
    """Equal but for blanks, wrappers and, in words, case."""
    first, second = (_GAP.sub("", words.plain(_FRACTION.sub("frac", t))).rstrip(".") for t in (a, b))
    return first == second or (
        len(first) > 12 and words.normal(a) == words.normal(b) and a.count("\\") == b.count("\\")
    )
