"""Proposals that became no node of their own."""

from __future__ import annotations

import asyncio
from types import ModuleType

import pytest

from rstar_jax.problems.problem import Problem
from rstar_jax.search.config import SearchConfig
from rstar_jax.search.tree import ROOT, NewNode, Refused, Tree, expand, new_tree
from rstar_jax.view.refusals import refusals


def tree_of(*new: NewNode, **choices: object) -> Tree:
    tree = new_tree(Problem("p", "What?", "1"), SearchConfig(**choices))  # type: ignore[arg-type]
    expand(tree, ROOT, list(new))
    return tree


def test_groups_of_a_small_tree(small: Tree):
    found = refusals(small)
    assert found[ROOT] == [
        {"reason": "duplicate", "rollout": 0, "count": 2, "node": 1},
        {"reason": "empty", "rollout": 0, "count": 1, "text": ""},
        {"reason": "cut", "rollout": 0, "count": 1, "text": "<code>\ny = "},
    ]
    failing = "<code>\n1/0\n<end_of_code>"
    assert found[2] == [
        {"reason": "error", "rollout": 1, "count": 1, "text": failing, "output": "ZeroDivisionError: division by zero"},
        {"reason": "duplicate", "rollout": 1, "count": 1, "like": "error", "text": failing},
    ]
    assert [found[node] for node in (1, 3, 4, 5)] == [[], [], [], []]


def test_a_cut_proposal_is_not_taken_for_the_step_that_goes_on_from_it():
    tree = tree_of(NewNode("x = 1\ny = 2<end_of_step>", "step"), NewNode("x = 1", "overlong"))
    tree.refused.append(Refused(ROOT, "x = 1", "duplicate"))
    assert refusals(tree)[ROOT][0]["node"] == 2


def test_closing_tags_do_not_count_where_the_released_search_merges():
    tree = tree_of(NewNode("x = 1<end_of_code>\n<output>1<end_of_output>", "code"), dedup="released")
    tree.refused.append(Refused(ROOT, "x = 1<end_of_step>", "duplicate"))
    assert refusals(tree)[ROOT][0]["node"] == 1


def test_tokens_make_no_group_of_their_own():
    tree = tree_of(NewNode("x = 1<end_of_step>", "step"))
    tree.refused += [Refused(ROOT, "x = 1<end_of_step>", "duplicate", n_tokens) for n_tokens in (3, 4, 3)]
    assert refusals(tree)[ROOT] == [{"reason": "duplicate", "rollout": 0, "count": 3, "node": 1}]


@pytest.mark.parametrize("outputs", [("1", "2"), ("1", "1")])
def test_of_merged_states_the_node_is_named_if_it_can_only_be_one(outputs: tuple[str, str]):
    first, second = (NewNode(f"x = {one}<end_of_step>", "step", outcome="ok", output=one) for one in outputs)
    tree = tree_of(first, second, merge_states=True)
    tree.refused.append(Refused(ROOT, "print(1 + 0)<end_of_step>", "duplicate", 3, "1"))
    (group,) = refusals(tree)[ROOT]
    assert group["state"] == (1 if outputs[1] == "2" else None)
    assert group["text"] == "print(1 + 0)<end_of_step>"


@pytest.mark.parametrize("setting", ["paper-1", "default-sample", "drawn-again", "released-eval", "released-bootstrap"])
def test_every_proposal_is_accounted_for(fakes: ModuleType, setting: str):
    tree = asyncio.run(fakes.grow(fakes.SETTINGS[setting]))
    found = refusals(tree)
    counts = [sum(group["count"] for group in groups) for groups in found]
    assert sum(counts) == len(tree.refused)
    assert sum(counts) + len(tree) - 1 == tree.proposals
    duplicates = [group for groups in found for group in groups if group["reason"] == "duplicate"]
    assert duplicates
    for node, groups in enumerate(found):
        for group in groups:
            if group["reason"] == "duplicate":
                assert group.get("node") in tree.children[node] or group["like"] in ("error", "beside_answer")
