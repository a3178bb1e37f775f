"""Labelled pairs: the rules never contradict each other, every label is right, and what is open is left out."""

from __future__ import annotations

import re
from fractions import Fraction

import pytest
import sympy

from rstar_jax.grading.rewriting import constants, labelled_pairs, powers, ranges, several, sums
from rstar_jax.grading.rewriting.golds import GOLDS

KINDS = set(
    re.findall(
        r"\w+",
        """
        algebra base bigint choice combinatorics complex decimal decimal_approx degree empty_gold equation exp frac
        inequality int interval invalid list log matrix money partial percent percent_trap pi power pyout root set
        thousands time tiny tolerance_trap tuple tuple_list unicode unit word word_number wrap
        """,
    )
)


def preds(gold: str, match: bool, kind: str | None = None) -> set[str]:
    return {p.pred for p in labelled_pairs(gold) if p.match is match and kind in (None, p.kind)}


def test_the_golds_cover_the_kinds_and_no_rules_contradict_each_other() -> None:
    pairs = [pair for gold in GOLDS for pair in labelled_pairs(gold)]
    assert len({(p.gold, p.pred) for p in pairs}) == len(pairs)
    kinds = {p.kind for p in pairs}
    assert kinds >= KINDS
    assert len(GOLDS) == len(set(GOLDS))


PRINTED = [g for g in GOLDS if any(True for _ in sums.rule(g))]


@pytest.mark.parametrize("gold", PRINTED[::3])
def test_python_print_is_right_by_sympy(gold: str) -> None:
    """Of every sum, what is printed equals the gold exactly if it is so labelled, and differs if it is not."""
    made = [(pred, match) for pred, match, kind in sums.rule(gold) if kind == "pyout" and not pred.startswith("[")]
    (reference,) = {pred for pred, match in made[:1]}
    gold_value = sympy.sympify(reference, rational=True)
    for pred, match in made:
        difference = sympy.simplify(sympy.sympify(pred, rational=True) - gold_value)
        assert (difference == 0) is match, (gold, pred)


@pytest.mark.parametrize("gold", ["42", "-3", r"\frac{22}{7}", "0.125", r"2\frac23", "-2750", "99.99", r"-\frac{5}{6}"])
def test_plain_numbers_are_right_by_fractions(gold: str) -> None:
    value = {"42": 42, "-3": -3, r"\frac{22}{7}": Fraction(22, 7), "0.125": Fraction(1, 8), r"2\frac23": Fraction(8, 3),
             "-2750": -2750, "99.99": Fraction(9999, 100), r"-\frac{5}{6}": Fraction(-5, 6)}[gold]  # fmt: skip
    numbers = [p for p in labelled_pairs(gold) if re.fullmatch(r"[+-]?\d+(?:\.\d*)?(?:/\d+)?|[+-]?\.\d+", p.pred)]
    assert len(numbers) > 8
    for pair in numbers:
        given = Fraction(pair.pred.rstrip("."))
        digits = len(re.sub(r"\D", "", pair.pred).lstrip("0"))
        if pair.match:
            rounded = not constants.terminating(Fraction(value)) and digits >= 6
            assert given == value or ((rounded or digits > 12) and abs(given - value) < abs(value) / 10**5), pair
        else:
            assert given != value, pair


def test_a_factor_of_a_hundred_needs_a_percent_sign() -> None:
    assert {"4200", "0.42"} <= preds("42", False)
    assert {"45", "0.45", r"\frac{9}{20}", "45%"} <= preds(r"45\%", True)
    assert {"4500", "4.5"} <= preds(r"45\%", False)
    assert not {"45%", r"45\%"} & (preds("45", True) | preds("45", False))  # open


def test_four_and_five_digits_are_left_out() -> None:
    both = preds(r"\frac{1}{3}", True) | preds(r"\frac{1}{3}", False)
    assert "0.333333" in preds(r"\frac{1}{3}", True)
    assert "0.333" in preds(r"\frac{1}{3}", False)
    assert not {"0.3333", "0.33333"} & both


def test_lists_have_no_order_and_tuples_have_one() -> None:
    assert "5, 2" in preds("2,5", True)
    assert {"2", "5", "25"} <= preds("2,5", False)
    assert "(-7, 2)" in preds("(2,-7)", False)
    assert r"\left(2, -7\right)" in preds("(2,-7)", True)
    assert not {"[2,-7]", r"\{2,-7\}", "2,-7"} & (preds("(2,-7)", True) | preds("(2,-7)", False))  # open


def test_thousands_are_no_lists() -> None:
    assert list(several.rule("271,828")) == []
    assert "271828" in preds("271,828", True)
    assert "27, 108, 216" not in preds("27,108,216", True)


def test_brackets_of_intervals_count() -> None:
    assert {"[3,\\infty)", "x\\ge 3"} <= preds(r"(3,\infty)", False)
    assert {"x>3", "(3, \\infty)", "Interval.open(3, oo)"} <= preds(r"(3,\infty)", True)
    assert list(ranges.rule("(1,2)")) == []  # may be a point
    assert list(ranges.rule("[2,1)")) == []
    assert {"x<1 or x>6", r"(6,\infty)\cup (-\infty,1)"} <= preds(r"(-\infty,1)\cup(6,\infty)", True)


def test_equations_are_equal_up_to_a_factor() -> None:
    assert {"6x+8y=48", "24=3x+4y", "3x+4y-24=0"} <= preds("3x+4y=24", True)
    assert {"3x+4y=25", "3x-4y=24"} & preds("3x+4y=24", False)
    assert {"4x-7", "-4x+7+y=0"} <= preds("y=4x-7", True)
    assert {"y=4x+7", "x=4y-7"} & preds("y=4x-7", False)


@pytest.mark.parametrize("gold", ["2^{64}", "7^{12}-1", "10^{15}+3", "12!", r"\binom{9}{4}", "3^{2021}", "2024!"])
def test_large_numbers_are_exact(gold: str) -> None:
    def number(text: str) -> int | None:
        text = re.sub(r"\\d?binom\{(\d+)\}\{(\d+)\}", r"binomial(\1,\2)", text)
        if not re.fullmatch(r"[\d^{}+*!a-z(), \\-]+", text) or "\\frac" in text or "choose" in text:
            return None
        text = (
            re.sub(r"(\d)binomial", r"\1*binomial", text)
            .replace("\\cdot ", "*")
            .replace("^{", "**(")
            .replace("^", "**")
            .replace("}", ")")
        )
        return int(sympy.sympify(re.sub(r"(\d+)!", r"factorial(\1)", text)))

    wanted, met = number(gold), 0
    for pred, match, _ in powers.rule(gold):
        found = number(pred)
        if found is not None:
            met += 1
            assert (found == wanted) is match, (gold, pred)
    assert met > 5


def test_nothing_equals_an_empty_gold() -> None:
    assert preds("", True) == set()
    assert {"", "None", "0"} <= preds("", False)


def test_a_gold_that_no_rule_reads_is_only_dressed() -> None:
    pairs = labelled_pairs(r"\text{If } n \text{ is even}")
    assert {p.kind for p in pairs} == {"wrap", "invalid", "partial"}
