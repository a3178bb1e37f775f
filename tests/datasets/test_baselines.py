"""Data of the ORM and the PQM, from trees whose Q values can be counted by hand."""

from __future__ import annotations

import pytest

from rstar_jax.datasets.baselines import orm_rows, pqm_rows, write_rows
from rstar_jax.datasets.select import OrmRule
from rstar_jax.files import read_jsonl
from rstar_jax.trajectory.prompts import policy_prompt

# Mean Q of the solutions: a 1 and, through Q(b) = 0, br 1/2, bw -1/2; c -1.
PLAN = {"a": {"ar": True}, "b": {"br": True, "bw": False}, "c": {"cw": False}}


def answers(rows: list[dict]) -> list[tuple[str, str]]:
    return [(row["pos"].split("<answer>")[1][:2], row["neg"].split("<answer>")[1][:2]) for row in rows]


def test_the_two_highest_by_mean_q_over_the_two_lowest(grow) -> None:
    rows = orm_rows([grow(PLAN)])
    assert answers(rows) == [("ar", "cw"), ("ar", "bw"), ("br", "cw"), ("br", "bw")]
    assert rows[0]["pos"] == "a<end_of_step><answer>ar<end_of_answer>"
    assert {row["prompt"] for row in rows} == {policy_prompt("What?")}
    assert {(row["pos_count"], row["neg_count"]) for row in rows} == {(2, 2)}
    assert [(row["pos_q"], row["neg_q"]) for row in rows] == [(1, -1), (1, -0.5), (0.5, -1), (0.5, -0.5)]
    assert [(row["pos_rank"], row["neg_rank"]) for row in rows] == [(1, 1), (1, 2), (2, 1), (2, 2)]


def test_mean_q_decides_and_not_the_answer(grow) -> None:
    tree = grow({"a": {"a1": True, "a2": True, "a3": True}, "b": {"br": True, "bw": False}})
    assert answers(orm_rows([tree])) == [("a1", "bw"), ("a1", "br"), ("a2", "bw"), ("a2", "br")]
    assert answers(orm_rows([tree], OrmRule(by_outcome=True))) == [("a1", "bw"), ("a2", "bw")]
    assert answers(orm_rows([tree], OrmRule(positives=1, negatives=1))) == [("a1", "bw")]


def test_no_solution_is_on_both_sides_and_equal_texts_count_once(grow) -> None:
    three = {"a": {"ar": True}, "b": {"br": True, "bw": False}}
    assert answers(orm_rows([grow(three)])) == [("ar", "bw")]
    twice = [grow(PLAN), grow(PLAN, index=1)]
    assert answers(orm_rows(twice)) == answers(orm_rows(twice[:1]))
    assert len(pqm_rows(twice)) == 4


def test_equal_mean_q_gives_no_pair(grow) -> None:
    tree = grow({"a": {"ar": True}, "b": {"bw": False}})
    tree.value_sum = [0.0] * len(tree)
    assert orm_rows([tree]) == orm_rows([tree], OrmRule(by_outcome=True)) == []


def test_a_solution_with_the_q_of_every_step(grow) -> None:
    rows = pqm_rows([grow(PLAN)])
    assert [row["q"] for row in rows] == [[1, 1], [0, 1], [0, -1], [-1, -1]]
    assert rows[1]["steps"] == ["b<end_of_step>", "<answer>br<end_of_answer>"]
    assert {row["query"] for row in rows} == {"What?"}
    assert [row["correct"] for row in rows] == [True, True, False, False]
    assert all(len(row["nodes"]) == 2 for row in rows)


@pytest.mark.parametrize("rows_of", [orm_rows, pqm_rows])
@pytest.mark.parametrize("plan", [{"a": {"r": True}}, {"a": {"w": False}}, {}])
def test_only_the_ppms_problems(grow, rows_of, plan: dict) -> None:
    assert rows_of([grow(plan)]) == []
    doubtful = {"a": {"r": True, "w": False, "v": False}}
    assert rows_of([grow(doubtful)])
    assert rows_of([grow(doubtful, source="synthetic")]) == []


@pytest.mark.parametrize(("kind", "rows_of"), [("orm", orm_rows), ("pqm", pqm_rows)])
def test_rows_are_written_problem_by_problem(grow, tmp_path, kind, rows_of) -> None:
    groups = [[grow(PLAN, problem_id=name)] for name in "pq"]
    assert write_rows(kind, iter(groups), tmp_path / "rows.jsonl") == 8
    assert read_jsonl(tmp_path / "rows.jsonl") == [row for trees in groups for row in rows_of(trees)]
