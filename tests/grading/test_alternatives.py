"""Several golds in one text, written and read."""

from __future__ import annotations

import pytest

from rstar_jax.grading import verdict
from rstar_jax.grading.alternatives import golds, printed


@pytest.mark.parametrize(
    "answers",
    [
        ("3", "-3"),
        ("it's", 'of "x"', "y"),  # Python prints these with both kinds of quotes
        ("\\left(\tfrac32, -\\tfrac52\\right)", "\\frac{1}{2}\n"),
        ("√2", "[1, 2]", "a\\b/c"),
    ],
)
def test_what_is_printed_is_read_again(answers: tuple[str, ...]) -> None:
    assert golds(printed(answers)) == answers


def test_one_answer_is_itself() -> None:
    assert printed(("(3, -5)",)) == "(3, -5)"


def test_any_of_the_printed_counts_and_nothing_else_does() -> None:
    truth = printed(("(10,0)", "(0,0)"))
    assert [verdict(answer, truth) for answer in ("(10, 0)", "(0,0)", "(0,10)")] == ["equal", "equal", "different"]
