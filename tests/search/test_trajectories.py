"""Whole solutions read off a tree."""

from __future__ import annotations

import math

import pytest

from rstar_jax.problems.problem import Problem
from rstar_jax.search.config import SearchConfig
from rstar_jax.search.trajectories import best_of_rollouts, best_path, n_correct, trajectories
from rstar_jax.search.tree import ROOT, NewNode, Tree, backup, expand, new_tree


@pytest.fixture
def tree() -> Tree:
    """Node 1 leads to the right answer 3 and the wrong 4, node 2 to the wrong answer 5."""
    tree = new_tree(Problem("p", "What?", "1"), SearchConfig())
    expand(tree, ROOT, [NewNode("s", "step", logprob=-1.0), NewNode("t", "step")])
    answers = [NewNode("a", "answer", answer="1", logprob=-2.0, count=3), NewNode("b", "answer", answer="2")]
    expand(tree, 1, answers)
    tree.rollouts = 1
    expand(tree, 2, [NewNode("c", "answer", answer="2")])
    for node, right in ((3, True), (4, False), (5, False)):
        tree.correct[node] = right
        backup(tree, node, 1.0 if right else -1.0)
    return tree


def test_trajectories(tree: Tree):
    first, second, third = trajectories(tree)
    assert (first.nodes, first.text, first.answer, first.correct) == ((1, 3), "sa", "1", True)
    assert (first.mean_q, first.min_q, first.count, first.logprob) == (0.5, 0.0, 3, -3.0)
    assert (second.mean_q, second.min_q) == (-0.5, -1.0)
    assert third.nodes == (2, 5)
    assert math.isnan(first.ppm)
    assert n_correct(tree) == 1


def test_best_path_by_q_then_by_ppm(tree: Tree):
    assert best_path(tree).answer == "1"
    tree.ppm[4], tree.ppm[5] = 0.5, 0.9
    assert best_path(tree).nodes == (2, 5)
    tree.ppm[4] = 0.9
    assert best_path(tree).nodes == (1, 4)


def test_best_of_rollouts(tree: Tree):
    tree.ppm[3], tree.ppm[4], tree.ppm[5] = 0.1, 0.2, 0.2
    assert [(rollout, one.nodes[-1]) for rollout, one in best_of_rollouts(tree)] == [(0, 4), (1, 5)]


def test_no_solution():
    assert best_path(new_tree(Problem("p", "What?", "1"), SearchConfig())) is None
