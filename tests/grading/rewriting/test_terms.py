"""Exact sums: what is read, what is left alone, and that every text of a sum has its value, by SymPy and fractions."""

from __future__ import annotations

from fractions import Fraction

import pytest
import sympy

from rstar_jax.grading.rewriting import printing, terms

SUMS = [
    (r"\frac{3\sqrt{5}}{4}", "3*sqrt(5)/4"),
    (r"10+2\sqrt{2}", "10+2*sqrt(2)"),
    (r"-\frac{1}{2}", "-Rational(1,2)"),
    (r"2x^{2}-7x+1", "2*x**2-7*x+1"),
    (r"\frac{5}{4}\pi + 2\sqrt{3}", "5*pi/4+2*sqrt(3)"),
    (r"\frac{4}{\sqrt{5}}", "4/sqrt(5)"),
    (r"\sqrt{12}", "2*sqrt(3)"),
    ("3-4i", "3-4*I"),
    (r"3\frac{1}{4}", "Rational(13,4)"),
    ("1,234.5", "Rational(2469,2)"),
    (r"7,\!654", "7654"),
    (r"\frac{2x^2y}{3}", "2*x**2*y/3"),
    ("-7/3", "-Rational(7,3)"),
    (r"$\frac{\pi}{6}$.", "pi/6"),
    (r"-2\sqrt{3}x", "-2*sqrt(3)*x"),
]
UNREAD = [
    "", "A", "AB", "abc", "no", "2e^3", "x^n", "1/2x", r"\frac{x+1}{2}", r"\sqrt[3]{2}", "(x+1)^2", "2 5/8", "x=3",
    "1,2", "12 cm", "x+x", r"\sin x", "i+x", "2^3^4", r"\sqrt{x}", r"\frac{1}{0}", "1,2345", "--3", "3+", "1, 234",
    r"\sqrt{99999999999}", "9hours", r"2\text{ cm}", "x_1", "0.1.2",
]  # fmt: skip


def value(text: str) -> sympy.Expr:
    return sympy.sympify(text, rational=True)


@pytest.mark.parametrize(("text", "meant"), SUMS)
def test_a_sum_is_what_it_writes(text: str, meant: str) -> None:
    total = terms.read(text)
    assert total is not None
    assert sympy.simplify(value(printing.python(total)) - value(meant)) == 0


@pytest.mark.parametrize("text", UNREAD)
def test_what_is_not_certain_is_not_read(text: str) -> None:
    assert terms.read(text) is None


@pytest.mark.parametrize("text", [text for text, _ in SUMS])
def test_every_latex_style_is_read_as_the_same_sum(text: str) -> None:
    total = terms.read(text)
    assert total is not None
    for style in ("frac", "dfrac", "tfrac", "front"):
        for spaced in (False, True):
            again = terms.read(printing.latex(total, style, spaced))  # type: ignore[arg-type]
            assert again is not None
            assert again.value == total.value


def test_equal_sums_share_a_value_and_others_do_not() -> None:
    def same(a: str, b: str) -> bool:
        first, second = terms.read(a), terms.read(b)
        assert first is not None
        assert second is not None
        return first.value == second.value

    assert same(r"\frac{6}{4}", "1.5")
    assert same(r"\frac{4}{\sqrt{5}}", r"\frac{4\sqrt{5}}{5}")
    assert same(r"\sqrt{80}", r"4\sqrt{5}")
    assert same("1+x", "x+1")
    assert not same(r"\sqrt{5}", r"\sqrt{6}")
    assert not same(r"2\pi", "2")
    assert not same("x^2", "x^3")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Fraction(1, 8), "0.125"),
        (Fraction(-7, 2), "-3.5"),
        (Fraction(5), "5"),
        (Fraction(1, 3), None),
        (Fraction(3, 40), "0.075"),
    ],
)
def test_decimals_that_end(value: Fraction, text: str | None) -> None:
    assert printing.terminating(value) == text
    assert text is None or Fraction(text) == value


@pytest.mark.parametrize("text", [r"\frac{22}{7}", r"\sqrt{2}", r"\frac{9\pi}{2}", r"100\pi", r"\sqrt{15}-\sqrt{6}"])
def test_decimals_are_rounded_correctly(text: str) -> None:
    total = terms.read(text)
    assert total is not None
    exact = value(printing.python(total))
    for digits in (1, 3, 6, 8, 15):
        rounded = sympy.Rational(printing.rounded(printing.real(total), digits))
        size = sympy.floor(sympy.log(abs(exact), 10))
        assert abs(rounded - exact) <= sympy.Rational(1, 2) * sympy.Integer(10) ** (size - digits + 1)
