"""Train and test problems share no question."""

from __future__ import annotations

import pytest

from rstar_jax.errors import InputError
from rstar_jax.problems.problem import Problem
from rstar_jax.problems.splits import check_disjoint, normalised_question, shared_problems


def problems(*questions: str, prefix: str) -> list[Problem]:
    return [Problem(f"{prefix}{i}", question, "1") for i, question in enumerate(questions)]


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("What is $x+1$?", "what is x + 1 ?"),
        ("A  line\nbreak", " a line break "),
        ("ﬁve", "five"),
        ("\\frac{1}{2}", "\\frac {1} {2}"),
    ],
)
def test_copies_are_recognised(left: str, right: str) -> None:
    assert normalised_question(left) == normalised_question(right)


@pytest.mark.parametrize(
    ("left", "right"), [("x + 1", "x - 1"), ("1 23", "12 3"), ("x^2", "x2"), ("3.5", "35"), ("a!", "a")]
)
def test_different_questions_stay_different(left: str, right: str) -> None:
    assert normalised_question(left) != normalised_question(right)


def test_disjoint_sets_pass() -> None:
    check_disjoint(problems("A", "B", prefix="train"), problems("C", prefix="test"))
    check_disjoint([], [])


def test_error_has_count_and_examples() -> None:
    train = problems("What is 1?", "b", "c", "d", prefix="train")
    test = problems("d", "x", "what is  1?", "c", "b", prefix="test")
    assert len(shared_problems(train, test)) == 4
    with pytest.raises(InputError) as caught:
        check_disjoint(train, test)
    assert str(caught.value) == (
        "4 test problems are among the training problems too "
        '(train3 = test0: "d"; train0 = test2: "what is 1?"; train2 = test3: "c"; and 1 more)'
    )


def test_long_questions_are_cut_in_the_error() -> None:
    with pytest.raises(InputError, match=r'^1 test problem is among .*"X{70}…"\)$'):
        check_disjoint(problems("x" * 500, prefix="a"), problems("X" * 499 + "x", prefix="b"))
