"""All that is shown of a tree, as JSON."""

from __future__ import annotations

import asyncio
import json
from types import ModuleType

import pytest

from rstar_jax.datasets.pairs import pair_rows
from rstar_jax.datasets.sft import sft_rows
from rstar_jax.search.trajectories import best_path
from rstar_jax.search.tree import Tree, q
from rstar_jax.view.document import document
from rstar_jax.view.marks import Marks


def marks_of(*trees: Tree) -> Marks:
    return Marks("By the rules.", sft_rows(trees), pair_rows(trees))


def test_a_small_tree(small: Tree):
    shown = document(small, marks_of(small), "shard.parquet")
    assert shown["problem"] == vars(small.problem)
    assert shown["tree"]["file"] == "shard.parquet"
    assert shown["tree"]["of"] == [0]
    assert shown["settings"]["candidates"] == 8
    step = shown["nodes"][1]
    assert {name: step[name] for name in ("parent", "tag", "kind", "visits", "q", "count", "output", "outcome")} == {
        "parent": 0, "tag": "0.1", "kind": "code", "visits": 2, "q": 0.0, "count": 3, "output": "2", "outcome": "ok"
    }  # fmt: skip
    assert "ppm" not in step
    assert "answer" not in step
    assert shown["nodes"][4]["correct"] is False
    assert shown["nodes"][2]["q"] == -1.0


def test_the_best_answer_after_each_rollout(small: Tree):
    shown = document(small, marks_of(small))
    assert shown["best"] == [None, 3, 3, 3, 3]
    assert shown["best_by"] == "mean Q"
    assert shown["backups"] == [[0, 3, 1.0, "root"], [1, 2, -1.0, "root"], [2, 4, -1.0, "root"], [3, 5, -1.0, "root"]]


def test_a_tree_whose_course_is_unknown_has_the_best_of_its_end(small: Tree):
    small.visits[0] += 1
    shown = document(small, marks_of(small))
    assert shown["backups"] is None
    assert shown["best"] == [3]


def test_training_data_of_the_tree(small: Tree):
    shown = document(small, marks_of(small))
    assert shown["origin"] == "By the rules."
    assert shown["sft"] == [{"rank": 1, "nodes": [1, 3], "mean_q": 0.5, "min_q": 0.0, "equal": 1}]
    assert [(pair["kind"], pair["pos"]["node"], pair["neg"]["node"]) for pair in shown["pairs"]] == [("final", 3, 4)]


def test_data_of_the_problems_other_trees_are_left_out(grown_twice: tuple[Tree, Tree]):
    marks = marks_of(*grown_twice)
    for tree in grown_twice:
        shown = document(tree, marks, indices=[0, 1])
        assert shown["tree"]["of"] == [0, 1]
        assert shown["sft"] == document(tree, marks)["sft"]
        for pair in shown["pairs"]:
            assert tree.index in (pair["pos"]["tree"], pair["neg"]["tree"])
            assert pair["kind"] == "final" or pair["pos"]["tree"] == pair["neg"]["tree"] == tree.index
    across = [row for row in marks.pairs if row["pos_tree"] != row["neg_tree"]]
    assert across  # solutions of one tree against those of the other are marked in both


@pytest.fixture
def grown_twice(fakes: ModuleType) -> tuple[Tree, Tree]:
    first, second = (asyncio.run(fakes.grow(fakes.SETTINGS["paper-1"], seed=5, index=index)) for index in (0, 1))
    return first, second


@pytest.mark.parametrize("setting", ["paper-test", "default-sample", "released-sample", "drawn-again-ppm"])
def test_any_tree_is_json(fakes: ModuleType, setting: str):
    tree = asyncio.run(fakes.grow(fakes.SETTINGS[setting]))
    shown = json.loads(json.dumps(document(tree, marks_of(tree)), allow_nan=False))
    assert [node["visits"] for node in shown["nodes"]] == tree.visits
    assert [node["q"] for node in shown["nodes"]] == [q(tree, node) for node in range(len(tree))]
    assert len(shown["best"]) == tree.rollouts + 1
    best = best_path(tree)
    assert shown["best"][-1] == (best.nodes[-1] if best else None)


def test_numbers_that_json_lacks_are_left_out(small: Tree):
    small.logprob[1] = float("-inf")
    node = json.loads(json.dumps(document(small, marks_of(small)), allow_nan=False))["nodes"][1]
    assert "logprob" not in node
