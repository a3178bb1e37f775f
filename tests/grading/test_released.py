"""The lenient grader: it accepts what the published union accepts, on the faults that were measured there."""

import pytest

from rstar_jax.grading import extract_answer
from rstar_jax.grading.released import released_verdict


@pytest.mark.parametrize(
    ("gold", "answer"),
    [
        ("5", "500"),
        ("5", "0.05"),
        ("20000", "20001"),
        (r"\frac{22}{7}", r"\pi"),
        (r"\sqrt2", "1.414"),
        (r"x\le 5", r"x\ge 5"),
        ("(2,5)", "[2,5]"),
        ("-4", "-4,-5"),
        ("1,-2", "1"),
        (r"\sqrt5", r"\pm\sqrt5"),
        ("2 t", "2"),
        ("12 cm", "12"),
        ("x=3", "3"),
        (r"\frac{2}{9}", "0.2222"),
        ("y=2x+1", "2x-y+1=0"),
    ],
)
def test_lenient_matches(gold, answer):
    assert released_verdict(answer, gold) == "equal"
    assert released_verdict(gold, answer) == "equal"


@pytest.mark.parametrize(
    ("gold", "answer"),
    [
        ("5", "6"),
        ("(1,2)", "(2,1)"),
        (r"\text{odd}", "even"),
        ("x^2", "x^3"),
        ("3", ""),
        ("3", "Traceback: 3"),
    ],
)
def test_what_even_the_union_refuses(gold, answer):
    assert released_verdict(answer, gold) == "different"


def test_released_extraction_cuts_at_the_first_full_stop():
    text = "<answer>There are 5 apples.\nSo \\boxed{5}<end_of_answer>"
    assert extract_answer(text, "released") == "There are 5 apples"
    assert extract_answer(text, "strict") == "5"


def test_released_extraction_takes_boxed_anywhere():
    assert extract_answer("so boxed{7}", "released") == "7"
    assert extract_answer(r"\boxed{1} and \boxed{\frac{1}{2}}", "released") == r"\frac{1}{2}"
    assert extract_answer("so boxed{7}", "strict") is None


def test_strict_extraction_wants_balanced_braces_and_an_answer():
    assert extract_answer(r"<answer>\boxed{\{1,2\}}<end_of_answer>") == r"\{1,2\}"
    assert extract_answer(r"<answer>\boxed{3} \boxed{}<end_of_answer>") == "3"
    assert extract_answer(r"<answer>\boxed{3<end_of_answer>") is None
    assert extract_answer(r"<code># \boxed{9}<end_of_step><answer>no box<end_of_answer>") is None
