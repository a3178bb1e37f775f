"""Which trees a problem gets in a round: escalation, further trees, an early end."""

from __future__ import annotations

import asyncio
import dataclasses
import types

import pytest

from rstar_jax.evolution.rounds import Round
from rstar_jax.evolution.search_stage import grow
from rstar_jax.problems.problem import Problem
from rstar_jax.search import presets
from rstar_jax.search.trajectories import n_correct

SEARCH = dataclasses.replace(presets.default("sample"), rollouts=4, candidates=3)


def trees_of(fakes, answer: str, **settings):
    """Of a problem whose answer the fakes find sometimes ("2") or never ("9")."""
    config = types.SimpleNamespace(seed=0, grader="strict")
    strict = types.SimpleNamespace(strict=fakes.FakeGrader())
    lab = types.SimpleNamespace(config=config, graders=strict, executor=fakes.FakeExecutor())
    round = Round(3, "policy", SEARCH, **settings)
    problem = Problem("p", "What?", answer)
    return asyncio.run(grow(lab, round, problem, fakes.FakeProposer(), fakes.FakeScorer()))


def sizes(trees) -> list[tuple[int, int]]:
    return [(tree.index, tree.rollouts) for tree in trees]


def test_a_solved_problem_gets_no_more(fakes) -> None:
    trees = trees_of(fakes, "2", trees=2, escalation=(6, 8), more_trees=2)
    assert any(map(n_correct, trees))
    assert [index for index, _ in sizes(trees)] == [0, 1]
    assert max(rollouts for _, rollouts in sizes(trees)) <= 4


def test_an_unsolved_problem_gets_all_of_it(fakes) -> None:
    trees = trees_of(fakes, "9", trees=2, escalation=(6, 8), more_trees=2)
    assert sum(map(n_correct, trees)) == 0
    assert [index for index, _ in sizes(trees)] == [0, 1, 2, 3]
    wanted = [8, 8, 4, 4]
    # A tree whose root is closed has no further rollout in it.
    assert all(
        found == most or tree.closed[0]
        for tree, found, most in zip(trees, [r for _, r in sizes(trees)], wanted, strict=True)
    )
    texts = [tree.text[1:] for tree in trees]
    assert len({tuple(text) for text in texts}) == 4  # other seeds


def test_no_further_tree_once_it_is_solved(fakes) -> None:
    assert len(trees_of(fakes, "2", trees=3)) == 3
    stopped = trees_of(fakes, "2", trees=3, stop_solved=True)
    solved = [bool(n_correct(tree)) for tree in stopped]
    assert solved == [False] * (len(stopped) - 1) + [True]
    whole = trees_of(fakes, "2", trees=3)
    assert [fakes.content(tree) for tree in stopped] == [fakes.content(tree) for tree in whole[: len(stopped)]]


@pytest.mark.parametrize("answer", ["2", "9"])
def test_the_same_trees_again(fakes, answer: str) -> None:
    once, again = (trees_of(fakes, answer, escalation=(6,), more_trees=1) for _ in range(2))
    assert [fakes.content(tree) for tree in once] == [fakes.content(tree) for tree in again]
