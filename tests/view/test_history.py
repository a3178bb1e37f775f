"""What a tree was after each rollout."""

from __future__ import annotations

import asyncio
import copy
import dataclasses
from types import ModuleType

import pytest

from rstar_jax.search import presets
from rstar_jax.search.mcts import search
from rstar_jax.search.trajectories import best_path
from rstar_jax.search.tree import Tree
from rstar_jax.view.history import backups, replay


def grown(fakes: ModuleType, setting: str, seed: int) -> tuple[Tree, list[Tree]]:
    """A tree, and copies of it after each rollout."""
    snapshots: list[Tree] = []
    tools = (fakes.FakeProposer(), fakes.FakeExecutor(), fakes.FakeGrader(), fakes.FakeScorer())
    tree = asyncio.run(
        search(
            fakes.PROBLEM,
            fakes.SETTINGS[setting],
            *tools,
            seed=seed,
            on_rollout=lambda one: snapshots.append(copy.deepcopy(one)),
        )
    )
    return tree, snapshots


def names() -> list[str]:
    return [
        *("released-bootstrap", "released-sample", "released-eval", "paper-1", "paper-3", "paper-test"),
        *("default-bootstrap", "default-sample", "default-eval", "drawn-again", "drawn-again-ppm", "random-ties"),
    ]


def test_every_setting_of_the_fakes_is_replayed(fakes: ModuleType):
    assert names() == list(fakes.SETTINGS)


@pytest.mark.parametrize("setting", names())
@pytest.mark.parametrize("seed", [0, 1])
def test_a_finished_tree_tells_what_it_was_after_each_rollout(fakes: ModuleType, setting: str, seed: int):
    tree, snapshots = grown(fakes, setting, seed)
    made = backups(tree)
    assert made is not None
    begun, *replayed = map(copy.deepcopy, replay(tree, made))
    assert len(begun) == 1
    assert len(replayed) == len(snapshots)
    for ours, theirs in zip(replayed, snapshots, strict=True):
        assert ours.rollouts == theirs.rollouts
        assert ours.text == theirs.text
        assert ours.children == theirs.children
        assert ours.visits == theirs.visits
        assert ours.value_sum == pytest.approx(theirs.value_sum)
        assert ours.first_value == pytest.approx(theirs.first_value, nan_ok=True)
        best = best_path(theirs)
        assert getattr(best_path(ours), "nodes", None) == getattr(best, "nodes", None)


def test_initial_values_of_the_ppm_are_no_visits(fakes: ModuleType):
    tree = asyncio.run(fakes.grow(dataclasses.replace(presets.paper(3), prior="initial", rollouts=6)))
    made = backups(tree)
    assert made is not None
    assert {one.reach for one in made} >= {"initial", "root"}
    *_, last = replay(tree, made)
    assert last.value_sum == pytest.approx(tree.value_sum)
    assert last.visits == tree.visits


def test_dead_ends_are_among_the_backups(small: Tree):
    made = backups(small)
    assert made is not None
    values = [(one.rollout, one.node, one.value) for one in made]
    assert values == [(0, 3, 1.0), (1, 2, -1.0), (2, 4, -1.0), (3, 5, -1.0)]


def test_values_of_another_search_are_not_explained(small: Tree):
    small.visits[2] += 1
    assert backups(small) is None


def test_a_rollout_that_was_never_done_is_not_explained(small: Tree):
    small.created_at[5] = 9
    assert backups(small) is None


def test_replaying_leaves_the_tree_alone(small: Tree, fakes: ModuleType):
    before = fakes.content(small)
    made = backups(small)
    assert made is not None
    assert [len(partial) for partial in replay(small, made)] == [1, 4, 4, 5, 6]
    assert fakes.content(small) == before
