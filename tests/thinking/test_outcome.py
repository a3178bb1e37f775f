"""What is read off trees, finished or not."""

from __future__ import annotations

import asyncio
import dataclasses
import math
import random

import pytest

from rstar_jax.evaluation import selection
from rstar_jax.evaluation.results import TrajectoryRow
from rstar_jax.problems.problem import Problem
from rstar_jax.search import presets
from rstar_jax.search.config import SearchConfig
from rstar_jax.search.tree import ROOT, NewNode, Tree, backup, expand, new_tree
from rstar_jax.thinking.outcome import most_promising, read_outcome

CONFIG = SearchConfig(terminal="ppm", prior="visit")
RULES = {
    "best": selection.best_by_score,
    "majority": selection.majority,
    "weighted": selection.weighted_vote,
}


def answered(*answers: tuple[str, float]) -> Tree:
    """One step below the root, and below it answers with these scores, of 3 tokens each."""
    tree = new_tree(Problem("p", "What?", ""), CONFIG)
    expand(tree, ROOT, [NewNode("<code>\nx = 1\n<end_of_step>", "step", n_tokens=5)])
    tree.ppm[1] = 0.25
    for node, (_, score) in zip(
        expand(tree, 1, [NewNode(f"\n{text}", "answer", answer=text, n_tokens=3) for text, _ in answers]),
        answers,
        strict=True,
    ):
        tree.ppm[node] = score
        backup(tree, node, score)
    tree.tokens = 5 + 3 * len(answers)
    tree.rollouts = 1
    return tree


def test_the_best_score_wins_or_the_votes():
    trees = [answered(("7", 0.9), ("1/2", -0.5)), answered(("0.5", 0.3), ("\\frac{1}{2}", 0.1), ("7", -0.2))]
    found = {select: read_outcome(trees, select) for select in RULES}
    assert {select: one.answer for select, one in found.items()} == {"best": "7", "majority": "0.5", "weighted": "0.5"}
    best, majority = found["best"], found["majority"]
    assert [(one.answer, one.votes, one.score) for one in best.alternatives] == [("7", 2, 0.9), ("1/2", 3, 0.3)]
    assert [(one.answer, one.votes) for one in majority.alternatives] == [("0.5", 3), ("7", 2)]
    assert (best.score, majority.score) == (0.9, 0.3)


def test_steps_and_counts():
    found = read_outcome([answered(("1", -0.5), ("2", 0.5)), answered(("3", 0.0))])
    assert found.text == "<code>\nx = 1\n<end_of_step>\n2"
    assert [(step.kind, step.score, step.q, step.visits) for step in found.steps] == [
        ("step", 0.25, 0.0, 2),
        ("answer", 0.5, 0.5, 1),
    ]
    assert (found.solutions, found.rollouts, found.depth, found.nodes) == (3, 2, 2, 5)
    assert (found.tokens, found.solution_tokens) == (19, 8)


def test_an_answer_counts_when_it_has_been_judged():
    tree = answered(("1", math.nan), ("2", -0.9), ("", 0.99))
    found = read_outcome([tree])
    assert (found.answer, found.solutions) == ("2", 1)


def test_without_a_solution_the_most_promising_beginning():
    tree = new_tree(Problem("p", "What?", ""), CONFIG)
    assert read_outcome([tree]).steps == ()
    expand(tree, ROOT, [NewNode("a", "step"), NewNode("b", "step"), NewNode("c", "step")])
    expand(tree, 2, [NewNode("d", "error"), NewNode("e", "thought")])
    for node, value in ((1, 1.0), (2, 0.5), (3, -0.5), (3, -0.5)):
        backup(tree, node, value)
    assert most_promising(tree) == (3,)
    backup(tree, 2, 0.5)
    found = read_outcome([tree])
    assert (found.answer, found.score, found.text, found.alternatives) == (None, None, "be", ())


@pytest.mark.parametrize("select", list(RULES))
def test_as_evaluations_choose(fakes, select):
    """The published rules, on trees of searches: the same answer, or an equivalent one."""
    config = dataclasses.replace(presets.default("eval"), rollouts=5, candidates=6)
    differing = 0
    for problem in fakes.problems(30):
        trees = [asyncio.run(fakes.grow(config, problem, index=index)) for index in range(2)]
        _some_scores_are_equal(trees, random.Random(problem.id))
        found = read_outcome(trees, select)
        chosen = RULES[select](_rows(trees))
        rows = _rows(trees)
        assert found.answer == (None if chosen.index is None else rows[chosen.index].answer)
        differing += found.answer != read_outcome(trees, "best").answer
    assert differing or select == "best"


def _some_scores_are_equal(trees: list[Tree], dice: random.Random) -> None:
    for tree in trees:
        tree.ppm = [score if math.isnan(score) else dice.choice([-0.5, 0.0, 0.5]) for score in tree.ppm]


def _rows(trees: list[Tree]) -> list[TrajectoryRow]:
    """The answers of these trees are digits, so that equal ones are equivalent."""
    nodes = [(tree, node) for tree in trees for node in range(len(tree)) if tree.kind[node] == "answer"]
    answers = [tree.answer[node] for tree, node in nodes]
    return [
        TrajectoryRow(
            "p", "m", i, tree.index, answer, answers.index(answer), tree.ppm[node], False, False, 1, 1, 1, 0.1, "answer"
        )
        for i, (answer, (tree, node)) in enumerate(zip(answers, nodes, strict=True))
    ]
