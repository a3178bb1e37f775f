"""Training problems that give away test problems."""

from __future__ import annotations

import random

from rstar_jax.problems.contamination import Evaluation
from rstar_jax.problems.problem import Problem
from rstar_jax.problems.words import common_subsequence, words

TEST = (
    "Every morning Aya goes for a $9$-kilometer-long walk and stops at a coffee shop afterwards. When she walks at a "
    "constant speed of $s$ kilometers per hour, the walk takes her 4 hours. Find the number of minutes."
)
BENCHMARKS = {"aime": [Problem("t", TEST, "204")], "short": [Problem("u", "Compute $\\sin 45^\\circ$.", "1")]}


def overlap(question: str) -> str | None:
    found = Evaluation(BENCHMARKS).overlap(Problem("p", question, "1"))
    return None if found is None else found.benchmark


def test_a_copy_gives_it_away_however_it_is_set() -> None:
    assert overlap(TEST) == "aime"
    assert overlap(TEST.upper().replace("$", "").replace(",", " ,")) == "aime"
    assert overlap("AIME 2024, Problem 1. " + TEST + " Give the answer as a number.") == "aime"


def test_most_of_it_gives_it_away() -> None:
    assert overlap(TEST.replace("Find the number of minutes.", "How long does it take?")) == "aime"


def test_a_common_phrase_does_not() -> None:
    phrase = "When she walks at a constant speed of $s$ kilometers per hour, the walk takes her 4 hours"
    others = (
        "Bo has seven dogs which eat three pounds of meat each, and he buys it from a shop that is far away on foot"
    )
    assert len(words(phrase)) >= 13
    assert overlap(f"{others}. {others}! {phrase}. {others}?") is None


def test_a_short_question_needs_most_of_the_problem() -> None:
    assert overlap("Compute $\\sin 45^\\circ$") == "short"
    assert (
        overlap("Let x be the cosine of the angle. Compute $\\sin 45^\\circ$ and add x to it, then square it.") is None
    )


def test_common_subsequence_against_the_textbook() -> None:
    rng = random.Random(1)
    for _ in range(300):
        one, other = (rng.choices("abcd", k=rng.randint(0, 12)) for _ in range(2))
        table = [[0] * (len(other) + 1) for _ in range(len(one) + 1)]
        for i, a in enumerate(one):
            for j, b in enumerate(other):
                table[i + 1][j + 1] = table[i][j] + 1 if a == b else max(table[i][j + 1], table[i + 1][j])
        assert common_subsequence(one, other) == table[-1][-1]
