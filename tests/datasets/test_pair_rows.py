"""Which siblings and solutions become preference pairs, on trees whose Q values can be counted by hand."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rstar_jax.datasets.edits import edits_at_least
from rstar_jax.datasets.pairs import pair_rows
from rstar_jax.datasets.select import PAPER_PAIRS, RELEASED_PAIRS, PairRule
from rstar_jax.trajectory.prompts import policy_prompt

STEPS_ONLY = dataclasses.replace(PAPER_PAIRS, final=False)


def names(rows: list[dict]) -> list[tuple[str, str]]:
    return [(row["pos"].split("<")[0], row["neg"].split("<")[0]) for row in rows]


def answers(right: int, wrong: int, tag: str) -> dict:
    graded = {f"{tag}r{number}": True for number in range(right)}
    return graded | {f"{tag}w{number}": False for number in range(wrong)}


def test_two_best_positives_against_two_worst_negatives(grow) -> None:
    # Q: a 1, b 1/2, c 0, d -1/2, e -1.
    plan = {
        "a": answers(4, 0, "a"),
        "b": answers(3, 1, "b"),
        "c": answers(2, 2, "c"),
        "d": answers(1, 3, "d"),
        "e": answers(0, 4, "e"),
    }
    rows = pair_rows([grow(plan)], STEPS_ONLY)
    assert names(rows) == [("a", "e"), ("a", "d"), ("b", "e"), ("b", "d")]
    assert {(row["pos_count"], row["neg_count"]) for row in rows} == {(2, 2)}
    assert [(row["pos_q"], row["neg_q"]) for row in rows][:2] == [(1, -1), (1, -0.5)]
    assert [(row["pos_rank"], row["neg_rank"]) for row in rows] == [(1, 1), (1, 2), (2, 1), (2, 2)]
    assert {row["prompt"] for row in rows} == {policy_prompt("What?")}
    assert {row["kind"] for row in rows} == {"step"}


def test_a_pair_needs_a_gap_and_never_compares_a_step_with_itself(grow) -> None:
    # Both steps lead to right and wrong answers; only the better one against the worse one has a gap.
    rows = pair_rows([grow({"a": answers(2, 1, "a"), "b": answers(1, 2, "b")})], STEPS_ONLY)
    assert names(rows) == [("a", "b")]
    assert (rows[0]["pos_count"], rows[0]["neg_count"]) == (1, 1)
    assert pair_rows([grow({"a": answers(1, 1, "a"), "b": answers(1, 1, "b")})], STEPS_ONLY) == []


def test_what_leads_nowhere_is_on_neither_side(grow) -> None:
    rows = pair_rows([grow({"a": answers(1, 0, "a"), "b": {}, "c": answers(0, 1, "c")})], STEPS_ONLY)
    assert names(rows) == [("a", "c")]


def test_pairs_share_their_prefix(grow) -> None:
    plan = {"a": {"b": answers(1, 0, "b"), "c": answers(0, 1, "c")}, "d": answers(0, 1, "d")}
    rows = pair_rows([grow(plan)], STEPS_ONLY)
    assert names(rows) == [("a", "d"), ("b", "c")]
    assert rows[1]["prompt"] == policy_prompt("What?") + "a<end_of_step>"


@pytest.mark.parametrize("plan", [{"a": answers(2, 0, "a")}, {"a": answers(0, 2, "a")}, {}])
def test_only_mixed_problems_give_pairs(grow, plan: dict) -> None:
    assert pair_rows([grow(plan)]) == []


def test_final_pairs_are_whole_solutions_over_all_trees(grow) -> None:
    first = grow({"a": answers(3, 1, "a")})
    second = grow({"b": answers(1, 0, "b"), "c": answers(0, 3, "c")}, index=1)
    rows = [row for row in pair_rows([first, second]) if row["kind"] == "final"]
    # Mean Q: right via b 1, via a 3/4; wrong via c -1 (three of them), via a -1/4.
    assert [(row["pos_q"], row["neg_q"]) for row in rows] == [(1, -1), (1, -1), (0.75, -1), (0.75, -1)]
    assert [(row["pos_tree"], row["neg_tree"]) for row in rows] == [(1, 1), (1, 1), (0, 1), (0, 1)]
    assert rows[0]["pos"] == "b<end_of_step><answer>br0<end_of_answer>"
    assert {row["prompt"] for row in rows} == {policy_prompt("What?")}
    assert second.correct[rows[0]["pos_node"]] is True
    assert {(row["pos_count"], row["neg_count"]) for row in rows} == {(2, 2)}


def test_answers_are_siblings_only_in_the_released_rule(grow) -> None:
    tree = grow({"a": answers(1, 1, "a")})
    assert pair_rows([tree], STEPS_ONLY) == []
    rows = pair_rows([tree], dataclasses.replace(STEPS_ONLY, answers_as_steps=True))
    assert [(row["pos"], row["neg"]) for row in rows] == [
        ("<answer>ar0<end_of_answer>", "<answer>aw0<end_of_answer>")
    ]


def test_released_takes_up_to_four_against_one(grow) -> None:
    plan = {"a" * 30: answers(1, 0, "a")} | {letter * 30: answers(0, 1, letter) for letter in "bcdef"}
    rows = pair_rows([grow(plan)], RELEASED_PAIRS)
    assert len(rows) == 4
    assert {(row["pos_count"], row["neg_count"]) for row in rows} == {(1, 4)}
    assert len(pair_rows([grow(plan)], STEPS_ONLY)) == 2


def test_released_filters_keep_the_counts_of_before(grow) -> None:
    near, far = "b" * 30, "a" * 11 + "b" * 19  # 1 and 11 edits from each other at most
    plan = {near: answers(1, 0, "n"), far: answers(0, 1, "f"), "c" * 40: answers(0, 1, "c")}
    rows = pair_rows([grow(plan)], dataclasses.replace(RELEASED_PAIRS, against_one=2))
    assert names(rows) == [(near, "c" * 40)]
    assert (rows[0]["pos_count"], rows[0]["neg_count"]) == (1, 2)
    recounted = pair_rows([grow(plan)], dataclasses.replace(RELEASED_PAIRS, recount=True))
    assert (recounted[0]["pos_count"], recounted[0]["neg_count"]) == (1, 1)


def test_margin_filter(grow) -> None:
    tree = grow({"a": answers(3, 2, "a"), "b": answers(2, 2, "b")})  # Q 0.2 and 0
    assert pair_rows([tree], PairRule(final=False, min_gap=0.2))
    assert pair_rows([tree], PairRule(final=False, min_gap=0.21)) == []


def edit_distance(a: str, b: str) -> int:
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, start=1):
        above, row = row, [i]
        for j, y in enumerate(b, start=1):
            row.append(min(above[j - 1] + (x != y), above[j] + 1, row[-1] + 1))
    return row[-1]


@given(st.text("ab", max_size=12), st.text("ab", max_size=12), st.integers(0, 8))
def test_edit_distance_in_a_band_is_the_edit_distance(a: str, b: str, limit: int) -> None:
    assert edits_at_least(a, b, limit) == (edit_distance(a, b) >= limit)
