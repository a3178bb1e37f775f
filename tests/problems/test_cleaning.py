"""Which rows are no problems, and by which rule."""

from __future__ import annotations

import pytest

from rstar_jax.problems.cleaning import CleaningConfig, clean_answer, why_not
from rstar_jax.problems.published import Candidate


def rule(question: str, answer: str | None, **config) -> str | None:
    return why_not(Candidate(question, answer, "MATH-level", "numina", "rows.json, row 1"), CleaningConfig(**config))


@pytest.mark.parametrize(
    ("question", "answer", "broken"),
    [
        ("What is $2+2$?", "4", None),
        ("What is $2+2$?", None, "no answer"),
        ("What is $2+2$?", " $$ ", "no answer"),
        ("  ", "4", "no question"),
        ("Prove that $n^2 \\ge n$ for all integers $n$.", "n", "proof"),
        ("Find all $n$ with $n^2 = n$ and prove that there are no others.", "0, 1", None),
        ("What is the area of the figure? ![](https://cdn.example/1.png)", "4", "picture"),
        ("What is its area? [asy] draw((0,0)--(1,1)); [/asy]", "4", None),
        ("How many? (A) 1 (B) 2 (C) 3 (D) 4 (E) 5", "C", "letter"),
        ("How many? $\\textbf{(A)}\\ 1 \\qquad\\textbf{(B)}\\ 2 \\qquad\\textbf{(C)}\\ 3$", "\\textbf{(C)}", "letter"),
        ("Three points A, B and C are on a line. Which is in the middle?", "B", None),
        ("Which of A: 2, B: 3 and C: 4 is prime?", "3", None),
        ("(a) Find $x$. (b) Find $y$.", "3", "several questions"),
        ("If $f(a) = a$ and $f(b) = 2$, find $f(a + b)$.", "3", None),
        ("(i) What is $x$? (ii) What is $y$?", "3", "several questions"),
        ("Who wins?", "the player who begins always wins", "prose"),
        ("Who wins?", r"\text{the second player}", None),
        ("Find it.", "1" * 101, "long answer"),
        ("Find it." * 1000, "1", "long question"),
    ],
)
def test_the_rule_that_is_broken(question: str, answer: str | None, broken: str | None) -> None:
    assert rule(question, answer) == broken


def test_rules_can_be_left_out() -> None:
    assert rule("How many? (A) 1 (B) 2 (C) 3", "C", letters=True) is None
    assert rule("(a) Find $x$. (b) Find $y$.", "3", several_questions=True) is None
    assert rule("Find it.", "12345", max_answer=4) == "long answer"
    assert rule("Find it.", "12345", max_question=4) == "long question"


def test_an_answer_loses_its_marks() -> None:
    assert clean_answer(" $\\frac{1}{2}$. ") == "\\frac{1}{2}"
    assert clean_answer("$$3$$") == "3"
    assert clean_answer("\\$5") == "\\$5"
    assert clean_answer("$") == "$"
