"""Selection rules on small cases worked out by hand."""

from __future__ import annotations

import itertools
import math

import pytest

from rstar_jax.evaluation import selection
from rstar_jax.evaluation.results import NO_GROUP, REST, TrajectoryRow


def row(index, answer, group, score=math.nan, right=False, tokens=10, outcome="answer", tree=0):
    return TrajectoryRow("p", "sample", index, tree, answer, group, score, right, right, tokens, 5, 2, 0.5, outcome)


# Answers A (0, 3), B (1, 2, 4 as one half and 0.5), none (5).
ROWS = [
    row(0, "A", 0, 0.9),
    row(1, "1/2", 1, -0.8, right=True),
    row(2, "0.5", 1, -0.6, right=True),
    row(3, "A", 0, 0.1),
    row(4, "1/2", 1, -0.9, right=True),
    row(5, None, NO_GROUP, outcome="overlong"),
]


def test_best_by_score():
    choice = selection.best_by_score(ROWS)
    assert (choice.index, choice.strict) == (0, False)
    assert (choice.generated_tokens, choice.scored_tokens, choice.trajectories) == (60, 30, 6)


def test_equal_scores_go_to_the_earlier_one():
    assert selection.best_by_score([row(3, "A", 3, 0.5), row(1, "B", 1, 0.5)]).index == 1


def test_majority_counts_equivalent_answers():
    choice = selection.majority(ROWS)
    assert (choice.index, choice.strict) == (1, True)


def test_equal_votes_go_to_the_earlier_answer():
    rows = [row(0, "A", 0), row(1, "B", 1), row(2, "B", 1), row(3, "A", 0)]
    assert selection.majority(rows).index == 0


def test_weighted_vote():
    """A: 0.95 + 0.55 = 1.5; B: 0.1 + 0.2 + 0.05 = 0.35."""
    assert selection.weighted_vote(ROWS).index == 0


def test_top_k_majority():
    """By score: A 0.9, A 0.1, B -0.6, B -0.8, B -0.9."""
    assert selection.top_k_majority(ROWS, 3).index == 0
    assert selection.top_k_majority(ROWS, 4).index == 0  # two each, and A holds the better one
    assert selection.top_k_majority(ROWS, 5).index == 2  # the best-scored B stands for its group
    with pytest.raises(ValueError, match="positive"):
        selection.top_k_majority(ROWS, 0)


def test_first_is_the_first_even_without_answer():
    assert selection.first(ROWS).index == 0
    nothing = selection.first([ROWS[5]])
    assert (nothing.index, nothing.strict, nothing.generated_tokens) == (None, False, 10)


@pytest.mark.parametrize("rule", [selection.best_by_score, selection.majority, selection.weighted_vote])
def test_no_answer_at_all(rule):
    choice = rule([row(0, None, NO_GROUP, outcome=REST)])
    assert (choice.index, choice.strict, choice.released, choice.trajectories) == (None, False, False, 0)


def test_missing_scores_are_an_error():
    with pytest.raises(ValueError, match=r"trajectory 0 .* has no PPM score"):
        selection.best_by_score([row(0, "A", 0)])


def test_pass_at_is_the_mean_over_all_subsets():
    right = [True, False, True, False, False, False]
    for k in range(1, 7):
        subsets = list(itertools.combinations(right, k))
        expected = sum(any(subset) for subset in subsets) / len(subsets)
        assert selection.pass_at(6, 2, k) == pytest.approx(expected)


@pytest.mark.parametrize(("n", "correct", "k"), [(4, 1, 5), (4, 5, 1), (4, 1, 0)])
def test_pass_at_refuses(n, correct, k):
    with pytest.raises(ValueError, match="undefined"):
        selection.pass_at(n, correct, k)


def test_any_correct():
    assert selection.any_correct(ROWS)
    assert not selection.any_correct(ROWS[:1], "released")


def test_equal_token_count():
    sampled = [row(i, "A", 0, tokens=tokens) for i, tokens in enumerate((10, 30, 20))]  # mean 20
    assert selection.equal_token_count(sampled, 59) == (2, True)
    assert selection.equal_token_count(sampled, 60) == (3, True)
    assert selection.equal_token_count(sampled, 80) == (3, False)
    assert selection.equal_token_count(sampled, 5) == (1, True)
    with pytest.raises(ValueError, match="sampled trajectories"):
        selection.equal_token_count([], 10)


def test_a_search_submits_its_best_at_its_whole_cost():
    rows = [
        row(0, "A", 0, 0.1, tree=0),
        row(1, "B", 1, 0.7, right=True, tree=0),
        row(2, None, NO_GROUP, tokens=4, outcome=REST, tree=0),
        row(3, None, NO_GROUP, tokens=6, outcome=REST, tree=1),
        row(4, "A", 0, 0.3, tree=2),
    ]
    submitted = selection.one_per_tree(rows)
    assert [(one.tree, one.answer) for one in submitted] == [(0, "B"), (1, None), (2, "A")]
    assert [one.generated_tokens for one in submitted] == [24, 6, 10]
    assert [one.calls for one in submitted] == [6, 2, 2]
    assert sum(one.seconds for one in submitted) == pytest.approx(sum(one.seconds for one in rows))
    assert selection.best_by_score(submitted).strict
    assert selection.best_by_score(submitted).generated_tokens == sum(one.generated_tokens for one in rows)
