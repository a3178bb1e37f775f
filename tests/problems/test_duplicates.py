"""Copies of problems, exact and near; the index against comparing each with each."""

from __future__ import annotations

import random

from rstar_jax.problems.duplicates import shingles, without_copies, without_near_copies
from rstar_jax.problems.problem import Problem

LONG = (
    "A train leaves the town at noon and drives to the north with 60 miles in every hour until it has reached the sea, "
    "where it waits for its passengers. After how many hours is it there?"
)


def problem(name: str, question: str, answer: str = "4") -> Problem:
    return Problem(name, question, answer)


def ids(problems: list[Problem]) -> list[str]:
    return [one.id for one in problems]


def test_of_exact_copies_the_first_stays() -> None:
    found = without_copies(
        [problem("a", "What is $2 + 2$?"), problem("b", "what is 2+2 ?"), problem("c", "What is 2+3?", "5")]
    )
    assert ids(found.problems) == ["a", "c"]
    assert [(one.id, other.id) for one, other in found.copies] == [("b", "a")]
    assert found.contradicting == []


def test_equal_answers_may_be_written_otherwise() -> None:
    found = without_copies([problem("a", "What?", "0.5"), problem("b", "What?", "\\frac{1}{2}")])
    assert ids(found.problems) == ["a"]


def test_nobody_knows_which_of_two_answers_is_right() -> None:
    found = without_copies([problem("a", "What?", "4"), problem("b", "What?", "5"), problem("c", "What?", "4")])
    assert found.problems == []
    assert sorted(one.id for one, _ in found.contradicting) == ["a", "b"]
    assert ids([one for one, _ in found.copies]) == ["c"]


def test_a_near_copy_says_almost_the_same() -> None:
    other = LONG.replace("the town", "a town")
    found = without_near_copies([problem("a", LONG), problem("b", other), problem("c", other, "5")])
    assert ids(found.problems) == ["a", "c"]
    assert [(one.id, like.id) for one, like in found.copies] == [("b", "a")]


def test_another_number_is_another_problem() -> None:
    found = without_near_copies([problem("a", LONG), problem("b", LONG.replace("60", "61"))])
    assert ids(found.problems) == ["a", "b"]


def test_exact_only() -> None:
    assert len(without_near_copies([problem("a", LONG), problem("b", LONG)], near=1.1).problems) == 2


def test_the_index_finds_what_comparing_each_with_each_finds() -> None:
    rng = random.Random(0)
    vocabulary = ["cat", "dog", "cow", "hen", "pig", "ant", "bee", "fox"]
    questions = []
    for _ in range(60):
        base = rng.choices(vocabulary, k=rng.randint(2, 14))
        questions.append(base)
        for _ in range(rng.randint(0, 3)):
            near = list(base)
            near[rng.randrange(len(near))] = rng.choice(vocabulary)
            questions.append(near)
    rng.shuffle(questions)
    problems = [problem(str(place), " ".join(question)) for place, question in enumerate(questions)]
    for near in (0.3, 0.5, 0.8, 1.0):
        kept: list[Problem] = []
        for one in problems:
            mine = shingles(one.question)
            like = (len(mine & theirs) / len(mine | theirs) for theirs in (shingles(two.question) for two in kept))
            if all(similarity < near for similarity in like):
                kept.append(one)
        assert ids(without_near_copies(problems, near).problems) == ids(kept)
