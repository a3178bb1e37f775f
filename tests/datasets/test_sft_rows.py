"""Which trajectories become SFT rows, on trees whose Q values can be counted by hand."""

from __future__ import annotations

import dataclasses

import pytest

from rstar_jax.datasets.outcomes import by_problem, gather_by_problem, outcome
from rstar_jax.datasets.select import PAPER_SFT, RELEASED_SFT, SftRule
from rstar_jax.datasets.sft import sft_rows


def responses(rows: list[dict]) -> list[str]:
    return [row["response"] for row in rows]


def test_the_two_best_by_mean_q_are_taken(grow) -> None:
    # Q(a) = 0, Q(b) = 1, Q(c) = 1/3; answers have Q = 1. Mean Q: via a 1/2, via b 1, via c 2/3.
    tree = grow({"a": {"r": True, "w": False}, "b": {"s": True}, "c": {"t": True, "u": True, "v": False}})
    rows = sft_rows([tree])
    assert responses(rows) == [
        "b<end_of_step><answer>s<end_of_answer>",
        "c<end_of_step><answer>t<end_of_answer>",
    ]
    assert [row["mean_q"] for row in rows] == pytest.approx([1, 2 / 3])
    assert [row["min_q"] for row in rows] == pytest.approx([1, 1 / 3])
    assert [row["rank"] for row in rows] == [1, 2]
    assert rows[0]["query"] == "What?"
    assert "".join(tree.text[node] for node in rows[1]["nodes"]) == rows[1]["response"]


def test_ties_go_to_the_larger_min_q_then_to_the_shorter(grow) -> None:
    even = grow({"long": {"s": True}, "b": {"t": True}})
    assert responses(sft_rows([even], SftRule(top=1))) == ["b<end_of_step><answer>t<end_of_answer>"]
    assert responses(sft_rows([even], RELEASED_SFT))[0] == "long<end_of_step><answer>s<end_of_answer>"
    # Both means are 2/3, with smallest Q 0 (1, 1, 0 in some order) or 1/3.
    deep = grow({"a": {"b": {"r": True}, "w": False}, "c": {"s": True, "t": True, "v": False}})
    first = sft_rows([deep], SftRule(top=1))[0]
    assert (first["mean_q"], first["min_q"]) == pytest.approx((2 / 3, 1 / 3))


def test_equal_texts_count_once_and_over_all_trees(grow) -> None:
    trees = [grow({"a": {"r": True}}), grow({"a": {"r": True}, "b": {"s": True}}, index=1)]
    rows = sft_rows(trees)
    assert [(row["tree"], row["equal"]) for row in rows] == [(0, 2), (1, 1)]
    assert len(set(responses(rows))) == 2
    assert len(set(responses(sft_rows(trees, RELEASED_SFT)))) == 1


def test_ungraded_and_wrong_answers_are_not_taken(grow) -> None:
    assert sft_rows([grow({"a": {"w": False, "x": None}})]) == []


def test_released_drops_the_word_error_after_choosing(grow) -> None:
    tree = grow({"Error margin": {"r": True}, "b": {"s": True}, "c": {"t": True}})
    assert len(sft_rows([tree], RELEASED_SFT)) == 1
    assert len(sft_rows([tree], PAPER_SFT)) == 2


@pytest.mark.parametrize(("wrong", "kept"), [(1, True), (2, False)])
def test_synthetic_problems_need_half_of_their_solutions_right(grow, wrong: int, kept: bool) -> None:
    plan = {"a": {"r": True} | {f"w{number}": False for number in range(wrong)}}
    assert bool(sft_rows([grow(plan, source="synthetic")])) is kept
    assert sft_rows([grow(plan)])


def test_trees_of_different_problems_do_not_mix(grow) -> None:
    trees = [grow({"a": {"r": True}}, problem_id=name) for name in "pqp"]
    assert [[tree.problem.id for tree in group] for group in by_problem(trees)] == [["p"], ["q"], ["p"]]
    assert [[tree.problem.id for tree in group] for group in gather_by_problem(trees)] == [["p", "p"], ["q"]]
    with pytest.raises(ValueError, match="one problem"):
        outcome(trees)


def test_rules_are_values() -> None:
    assert dataclasses.replace(PAPER_SFT, top=4) != PAPER_SFT
