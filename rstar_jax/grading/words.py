"""Answers in words (rule 12): letters of a choice, number words, names, sentences around mathematics."""

from __future__ import annotations

import re

from rstar_jax.grading.vocabulary import (
    FUNCTIONS,
    GREEK,
    NUMBER_WORDS,
    SAME_WORDS,
    SCALE_WORDS,
    SYMBOLS,
    TENS_WORDS,
    UNIT_FILLERS,
    UNITS,
)

_WRAPPERS = re.compile(
    r"\\(?:text|mbox|textbf|mathrm|mathbf|textit|textrm|operatorname|boxed|fbox|rm|bf)\b|[{}$]"
)
_CHOICE = re.compile(r"\(?\s*([A-Z])\s*(?:[).:]\s*|$)")
_ANNOUNCED = re.compile(
    r"\b(?i:answer|option|choice)\b\s*(?:is|:)?\s*(?i:option|choice)?\s*:?\s*\(?([A-Z])\b\)?"
)
_MORE_LETTERS = re.compile(r"\)?\s*(?:[,;/&]|\(?[A-Z]\)|(?i:or|and)\b)")  # a second choice, or anything in a list
_NON_WORD = re.compile(r"[^\w' ]+")
_PROSE = re.compile(r"(?<![\\A-Za-z_])[A-Za-z]{2,}(?![A-Za-z(_^])")
_MATHEMATICS = frozenset(FUNCTIONS) | frozenset(SYMBOLS) | GREEK | frozenset(UNITS) | UNIT_FILLERS
_SENTENCE = 4  # words
_DIGIT = re.compile(r"\d")
_MONTH = re.compile(
    r"\b(?:January|February|March|April|May|June|July|August|September|October|November|December)\b"
)
_MINUTES = re.compile(r"(?:^|[^\w{])\d+(?:\.\d+)?\s*'")
_OTHERWISE = (
    re.compile(
        r"\b(?i:not|never|neither|nor|without|cannot|can't|couldn't|unable|fail(?:s|ed)?|wrong|incorrect|false|invalid|"
        r"impossible|insufficient|undetermined|sorry|unclear|unknown)\b"
    ),
    re.compile(r"\d\s*(?:to|through)\s*-?\d"),
    re.compile(r"^\s*(?:\\(?:neq?|leq?|geq?|lt|gt|leqslant|geqslant)(?![a-z])|[<>≤≥≠]|!=)"),
    _MINUTES,
)
_ARTICLES = frozenset({"the", "a", "an"})


def plain(text: str) -> str:
    """Without text wrappers and braces."""
    return " ".join(_WRAPPERS.sub(" ", text).split())


def normal(text: str) -> str:
    """Lower case, no punctuation, no articles, synonyms joined."""
    words = _NON_WORD.sub(" ", plain(text).lower().replace("n't", " not")).split()
    joined = " ".join(w for w in words if w not in _ARTICLES) or " ".join(words)
    return SAME_WORDS.get(joined, joined)


def is_prose(text: str) -> bool:
    """Whether it is a sentence: words of the language, not names of functions or units, make the most of it."""
    return len([word for word in _PROSE.findall(plain(text)) if word.lower() not in _MATHEMATICS]) >= _SENTENCE


def is_composed(text: str) -> bool:
    """Whether it is a date or has minutes of a degree: June 20 is neither 20 nor July 20."""
    if "'" in text:
        return _MINUTES.search(text) is not None
    return not text.islower() and _DIGIT.search(text) is not None and _MONTH.search(text) is not None


def says_otherwise(gold: str, given: str) -> bool:
    """Whether an answer denies what it names, gives a range, compares without a name, or counts minutes of a degree.

    `5 is wrong`, `2 to 3`, `\\ne 5` and `45'` are not what they hold.
    """
    if not _DIGIT.search(given):  # words are compared as words
        return False
    return any(mark.search(given) and not mark.search(gold) for mark in _OTHERWISE)


def choice(text: str) -> str | None:
    """The letter of a choice: `(C)`, `C.`, `\\text{(C)}`, `C) ..`, `answer is C`."""
    text = plain(text)
    match = _CHOICE.match(text) or (_ANNOUNCED.search(text) if len(text) < 200 else None)
    return match[1] if match and not _MORE_LETTERS.match(text, match.end()) else None


def is_choice(gold: str) -> bool:
    """Whether the gold is one of the letters A to E and nothing else."""
    return re.fullmatch(r"\(?\s*[A-E]\s*\)?\.?", plain(gold)) is not None


def number_word(text: str) -> int | None:
    """`seven`, `twenty-one`, `three hundred`; None if a word is no number."""
    words = text.lower().replace("-", " ").split()
    words = [w for w in words if w != "and"]
    if not words or len(words) > 12:
        return None
    total, group = 0, 0
    for word in words:
        if word in NUMBER_WORDS:
            group += NUMBER_WORDS[word]
        elif word in TENS_WORDS:
            group += TENS_WORDS[word]
        elif word == "hundred":
            group = max(group, 1) * 100
        elif word in SCALE_WORDS:
            total, group = total + max(group, 1) * SCALE_WORDS[word], 0
        else:
            return None
    return total + group
