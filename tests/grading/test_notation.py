"""Notations of the strict grader: what they become, and that the released grader knows nothing of them."""

from __future__ import annotations

import pytest

from rstar_jax.grading.first_stage import verdict
from rstar_jax.grading.limits import MAX_CHARACTERS
from rstar_jax.grading.notation import strict_clean
from rstar_jax.grading.released import released_verdict
from rstar_jax.grading.rounding import before_rounding, both_sides


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("27,54,108", "27, 54, 108"),
        ("1,234,567", "1,234,567"),
        ("10,000, 20,000", "10,000 , 20,000"),
        (r"100,\ 200", "100, 200"),
        (r"11,\! 111", "11111"),
        ("C(10,3)", r"\binom{10}{3}"),
        ("np.pi/4", "pi/4"),
        ("Interval(-1, 3, False, True)", "Interval.Ropen(-1, 3)"),
        ("[[1, 2, 3]]", r"\begin{matrix}1& 2& 3\end{matrix}"),
        ("(-oo < x) & (x < 1) | (2 < x) & (x < oo)", "-oo < x < 1 or 2 < x < oo"),
        ("(x < sqrt(2)) | (x > 3)", "x < sqrt(2) or x > 3"),
        ("7:45 a.m.", "7:45 am"),
        (r"\mathbb R", r"\mathbb{R}"),
        (r"5^{\prime\prime}", "5''"),
        ("minus three", "-3"),
        ("negative 4", "-4"),
        ("minus signs", "minus signs"),
        ("'Monday'", "Monday"),
        ("\tfrac{1}{2}", r"\tfrac{1}{2}"),
    ],
)
def test_what_a_notation_becomes(text: str, meant: str) -> None:
    assert strict_clean(text) == meant


def test_too_long_a_text_is_no_answer() -> None:
    assert strict_clean("1," * MAX_CHARACTERS) is None


def test_the_released_grader_does_not_read_them() -> None:
    pair = r"100,\ 200", "100200"
    assert (verdict(*pair), released_verdict(*pair)) == ("different", "equal")
    pair = "27,54,108", "108, 54, 27"
    assert (verdict(*pair), released_verdict(*pair)) == ("equal", "different")


def test_an_exact_value_is_told_from_its_decimal() -> None:
    assert before_rounding(r"\frac{1}{3}\approx0.333") == r"\frac{1}{3}"
    assert before_rounding(r"\approx 0.333") == " 0.333"
    named = ("0.333", r"x\approx 0.333", r"\theta\approx1", r"f(x)\approx 2")
    for text in (*named, r"\pi\approx 3, 7", r"\boxed{e\approx3}"):
        assert before_rounding(text) == text
    assert both_sides(r"\cos(e)\approx-0.912") == (r"\cos(e)\approx-0.912", r"\cos(e)", "-0.912")
    assert both_sides("5") == ("5",)
