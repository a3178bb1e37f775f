"""From rows to answers: closed forms, and relations that hold whatever the rows are."""

from __future__ import annotations

import math

import pytest

from rstar_jax.evaluation.aggregate import collect
from rstar_jax.evaluation.results import NO_GROUP, NO_TREE, REST, TrajectoryRow
from rstar_jax.problems.problem import Problem
from rstar_jax.reproduction.evaluations import Evaluation
from rstar_jax.reproduction.ways import Way, answers

PROBLEMS = [Problem("p", "1?", "1"), Problem("q", "2?", "2")]
SEARCH = Evaluation("SLM-r1", "search", "PPM-r1")
SAMPLES = Evaluation("SLM-r1", "samples")


def row(problem, index, answer, score=math.nan, tree=NO_TREE, method="sample", tokens=10, right=None):
    right = answer == {p.id: p.answer for p in PROBLEMS}[problem] if right is None else right
    group = NO_GROUP if answer is None else int(answer)
    outcome = REST if answer is None else "answer"
    return TrajectoryRow(problem, method, index, tree, answer, group, score, right, right, tokens, 4, 1, 0.5, outcome)


def searched():
    """Two searches of each problem, with two answers each; the second search of q found none."""
    rows = [
        row("p", 0, "3", 0.1, 0, "search"),
        row("p", 1, "1", 0.2, 0, "search"),
        row("p", 2, "3", 0.9, 1, "search"),
        row("q", 0, "2", 0.5, 0, "search"),
        row("q", 1, None, math.nan, 1, "search", tokens=7),
    ]
    return collect(PROBLEMS, rows)


def sampled():
    given = {"p": ["1", "3", "3", "1"], "q": ["2", "4", "4", "4"]}
    rows = [
        row(problem, index, answer, 0.9 - 0.1 * index)
        for problem, found in given.items()
        for index, answer in enumerate(found)
    ]
    return collect(PROBLEMS, rows)


def right(way, result, n=2, budgets=None):
    found = answers(way, result, n, budgets, top_k=2)
    return None if found is None else found.scores.strict


def test_a_trajectory_is_what_a_search_submits():
    assert right(Way(SEARCH, "best", 1), searched()) == (1.0, 1.0)  # the better of the first search's two
    assert right(Way(SEARCH, "best", 2), searched()) == (0.0, 1.0)  # the second search is surer, and wrong


def test_a_search_costs_all_that_it_spent():
    found = answers(Way(SEARCH, "best", 2), searched(), 2, None, 2).scores
    assert found.generated_tokens == (30, 17)
    assert found.calls == (3, 2)
    assert found.trajectories == (2, 1)  # the one that found no answer is none


def test_more_trajectories_than_there_are_were_not_run():
    assert right(Way(SEARCH, "best", 3), searched()) is None
    assert right(Way(SAMPLES, "majority", 5), sampled()) is None


def test_pass_at_n_is_unbiased():
    assert right(Way(SEARCH, "pass", 1), searched()) == (0.5, 0.5)
    assert right(Way(SEARCH, "pass", 2), searched()) == (1.0, 1.0)
    assert right(Way(SAMPLES, "pass", 2), sampled()) == pytest.approx((1 - 1 / 6, 0.5))


def test_rules_on_samples():
    assert right(Way(SAMPLES, "best", 4), sampled()) == (1.0, 1.0)
    assert right(Way(SAMPLES, "majority", 4), sampled()) == (1.0, 0.0)  # two of each: the earlier answer
    assert right(Way(SAMPLES, "majority", 1), sampled()) == (1.0, 1.0)
    assert right(Way(SAMPLES, "weighted", 4), sampled()) == (1.0, 0.0)
    assert right(Way(SAMPLES, "vote", 4), sampled()) == (1.0, 1.0)  # of the two best


def test_without_a_number_all_that_were_planned_count():
    assert right(Way(SAMPLES, "majority"), sampled(), n=4) == right(Way(SAMPLES, "majority", 4), sampled())
    greedy = collect(PROBLEMS, [row("p", 0, "1", method="greedy"), row("q", 0, "4", method="greedy")])
    assert right(Way(Evaluation("base", "greedy")), greedy, n=8) == (1.0, 0.0)


def test_equal_tokens_buy_as_many_samples():
    way = Way(SAMPLES, "majority", equal_to=Way(SEARCH, "best"))
    found = answers(way, sampled(), 2, (39, 1_000), 2)
    assert found.scores.generated_tokens == (30, 40)  # three for 39 tokens; all four, and that is too few
    assert found.scores.strict == (0.0, 0.0)
    assert found.short == 1
