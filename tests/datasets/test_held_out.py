"""Held-out pairs are those of held-out problems: no problem is on both sides, whatever kind its pairs have."""

from __future__ import annotations

import pytest

from rstar_jax.datasets.baselines import orm_rows
from rstar_jax.datasets.held_out import is_held_out, question_of
from rstar_jax.datasets.pairs import pair_rows
from rstar_jax.trajectory.prompts import RELEASED_SEARCH_FRAME, policy_prompt

PLAN = {"a": {"b": {"r": True}, "c": {"w": False, "v": True}}, "d": {"x": False}}


@pytest.fixture
def rows(grow) -> list[dict]:
    """Step pairs of several depths, final pairs and the ORM's, of sixty problems with two trees each."""
    made = []
    for number in range(60):
        about = {"problem_id": f"p{number}", "question": f"What is {number}?\nThink."}
        trees = [grow(PLAN, index, **about) for index in range(2)]
        made += pair_rows(trees) + orm_rows(trees)
    return made


def held_out(rows: list[dict], share: float, seed: int = 0) -> set[str]:
    """Problems with a pair that is held out."""
    return {row["problem"] for row in rows if is_held_out(question_of(row["prompt"]), share, seed)}


def test_no_problem_is_on_both_sides(rows) -> None:
    assert {row["kind"] for row in rows} == {"step", "final"}
    assert len({row["prompt"] for row in rows}) > 60  # steps of several depths
    out = held_out(rows, 0.3, seed=5)
    trained = {row["problem"] for row in rows if not is_held_out(question_of(row["prompt"]), 0.3, 5)}
    assert len(out | trained) == 60
    assert not out & trained
    assert 5 <= len(out) <= 31
    assert held_out(rows, 0.3, seed=6) != out


def test_a_share_of_none_or_of_nearly_all(rows) -> None:
    assert held_out(rows, 0.0) == set()
    assert len(held_out(rows, 1.0)) == 60
    assert held_out(rows, 0.2) < held_out(rows, 0.5)  # a larger share only adds problems


def test_the_policys_and_the_ppms_data_are_split_alike() -> None:
    for number in range(50):
        question = f" What is {number}? \n"
        for prompt in (
            policy_prompt(question),
            policy_prompt(question, "<code>\n# Step 1\n<end_of_step>"),
            policy_prompt(question, frame=RELEASED_SEARCH_FRAME),
            f"<|user|>:\n{question} Let's write a program.",  # in the released data
        ):
            assert question_of(prompt) == question.strip()
            assert is_held_out(question_of(prompt), 0.4) == is_held_out(question, 0.4)
