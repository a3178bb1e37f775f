"""Intervals and tests against closed forms and cases worked out by hand."""

from __future__ import annotations

import math

import pytest

from rstar_jax.evaluation import intervals


def test_wilson_textbook_case():
    found = intervals.wilson(8, 10)
    assert found.estimate == 0.8
    assert (found.low, found.high) == (pytest.approx(0.4902, abs=1e-4), pytest.approx(0.9433, abs=1e-4))
    assert found.kind == "Wilson 95%"


def test_wilson_at_the_ends():
    z2 = 1.959964**2  # no success: high end z² / (n + z²)
    assert intervals.wilson(0, 10).low == 0
    assert intervals.wilson(0, 10).high == pytest.approx(z2 / (10 + z2), abs=1e-6)
    assert intervals.wilson(10, 10).high == 1
    assert intervals.wilson(10, 10).low == pytest.approx(10 / (10 + z2), abs=1e-6)


@pytest.mark.parametrize(("successes", "total"), [(0, 0), (3, 2), (-1, 2)])
def test_wilson_refuses(successes, total):
    with pytest.raises(ValueError, match="no proportion"):
        intervals.wilson(successes, total)


def test_bootstrap_of_two_problems():
    """Means 0, 1/2, 1 with probabilities 1/4, 1/2, 1/4."""
    wide = intervals.bootstrap([0, 1])
    assert (wide.estimate, wide.low, wide.high) == (0.5, 0, 1)
    narrow = intervals.bootstrap([0, 1], level=0.4)
    assert (narrow.low, narrow.high) == (0.5, 0.5)
    assert "over problems" in wide.kind
    assert "95%" in wide.kind


def test_bootstrap_width_is_the_standard_error():
    values = [0.0, 1.0] * 200
    found = intervals.bootstrap(values)
    assert found.high - found.low == pytest.approx(2 * 1.96 * math.sqrt(0.25 / 400), rel=0.05)


def test_bootstrap_is_seeded():
    values = [0.1, 0.5, 0.9, 0.4]
    assert intervals.bootstrap(values, seed=3) == intervals.bootstrap(values, seed=3)


def test_bootstrap_refuses_nothing():
    with pytest.raises(ValueError, match="non-empty"):
        intervals.bootstrap([])


@pytest.mark.parametrize("crossed", [True, False])
def test_seeds_without_variance_between_problems(crossed):
    """Two seeds, always right and always wrong: only the draw of seeds matters."""
    found = intervals.bootstrap_seeds([[1, 1, 1], [0, 0, 0]], crossed=crossed)
    assert (found.estimate, found.low, found.high) == (0.5, 0, 1)
    narrow = intervals.bootstrap_seeds([[1, 1, 1], [0, 0, 0]], crossed=crossed, level=0.4)
    assert (narrow.low, narrow.high) == (0.5, 0.5)
    assert ("crossed" if crossed else "nested") in found.kind


def test_crossed_problems_do_not_average_out_over_equal_seeds():
    """Equal results in every seed carry no more information than one seed; nested problems would."""
    one = [0.0, 1.0] * 50
    single = intervals.bootstrap(one)
    crossed = intervals.bootstrap_seeds([one] * 4, crossed=True)
    nested = intervals.bootstrap_seeds([one] * 4, crossed=False)
    assert crossed.high - crossed.low == pytest.approx(single.high - single.low, rel=0.1)
    assert nested.high - nested.low == pytest.approx((single.high - single.low) / 2, rel=0.1)


def test_seed_counts_agree_with_vectors():
    vectors = [[1.0] * 30 + [0.0] * 70, [1.0] * 60 + [0.0] * 40]
    by_vector = intervals.bootstrap_seeds(vectors, crossed=False)
    by_count = intervals.bootstrap_seed_counts([(30, 100), (60, 100)])
    assert by_count.estimate == pytest.approx(by_vector.estimate)
    assert by_count.low == pytest.approx(by_vector.low, abs=0.02)
    assert by_count.high == pytest.approx(by_vector.high, abs=0.02)
    assert by_count.kind == by_vector.kind


def test_seeds_refuse_unequal_problems_when_crossed():
    with pytest.raises(ValueError, match="same problems"):
        intervals.bootstrap_seeds([[1, 0], [1]], crossed=True)
    with pytest.raises(ValueError, match="at least one problem"):
        intervals.bootstrap_seeds([[1, 0], []], crossed=False)
    with pytest.raises(ValueError, match="no proportions"):
        intervals.bootstrap_seed_counts([(1, 0)])


def test_paired_bootstrap_uses_the_pairing():
    """A constant difference has no interval, however much both vary."""
    first, second = [1.0, 2.0, 3.0, 9.0], [0.0, 1.0, 2.0, 8.0]
    found = intervals.paired_bootstrap(first, second)
    assert (found.estimate, found.low, found.high) == (1, 1, 1)
    assert found.kind.startswith("paired")
    with pytest.raises(ValueError, match="equal lengths"):
        intervals.paired_bootstrap([1], [1, 2])


def test_mcnemar_by_hand():
    """1 against 6 discordant pairs: p = 2 (C(7,0) + C(7,1)) / 2^7 = 1/8."""
    first = [True] + [False] * 6 + [True] * 5
    second = [False] + [True] * 6 + [True] * 5
    found = intervals.mcnemar(first, second)
    assert (found.only_first, found.only_second) == (1, 6)
    assert found.p_value == pytest.approx(0.125)


def test_mcnemar_without_disagreement():
    assert intervals.mcnemar([True, False], [True, False]).p_value == 1
