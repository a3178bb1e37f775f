"""Drawing candidates again at a node below which nothing is open (`SearchConfig.expansions`)."""

from __future__ import annotations

import asyncio
import dataclasses
from types import ModuleType

from rstar_jax.evaluation.methods import tree_drafts
from rstar_jax.search.config import SearchConfig
from rstar_jax.search.mcts import search
from rstar_jax.search.protocols import Path, Proposal
from rstar_jax.search.tree import ROOT, Tree

STEP = "<code>\nx = 1\n<end_of_step>"
OTHER = "<code>\nx = 2\n<end_of_step>"
FAILING = "<code>\nfail()\n<end_of_step>"
CODE = "\nprint(x)\n<end_of_code>"
ANSWER = "\n<answer>\\boxed{%s}<end_of_answer>"


@dataclasses.dataclass
class InTurn:
    """At the root the next list of texts at every call (the last one for good); then two steps to the answer."""

    at_root: list[list[str]]
    keys: list[int] = dataclasses.field(default_factory=list)

    async def propose(self, path: Path, n: int, key: int) -> list[Proposal]:
        if path.steps:
            done = path.text.partition("<output>")[2]
            texts = [ANSWER % done[0] if done else CODE] * 2
        else:
            self.keys.append(key)
            texts = self.at_root.pop(0) if len(self.at_root) > 1 else self.at_root[0]
        return [Proposal(text, "stop", -1.0, 10) for text in texts]


def grow(fakes: ModuleType, at_root: list[list[str]], **settings: object) -> tuple[Tree, InTurn]:
    config = SearchConfig(**{"rollouts": 8, "expansions": 3, **settings})
    proposer = InTurn(at_root)
    tools = (proposer, fakes.FakeExecutor(), fakes.FakeGrader(), fakes.FakeScorer())
    return asyncio.run(search(fakes.PROBLEM, config, *tools)), proposer


def test_what_a_second_draw_brings_becomes_a_child(fakes: ModuleType):
    tree, proposer = grow(fakes, [[STEP], [STEP, OTHER, STEP], [STEP, OTHER]])
    assert [tree.text[child] for child in tree.children[ROOT]] == [STEP, OTHER]
    assert tree.correct.count(True) == 1  # only the second draw finds the answer 2
    assert (tree.drawn[ROOT], tree.closed[ROOT], len(set(proposer.keys))) == (3, True, 3)
    assert [tree.count[child] for child in tree.children[ROOT]] == [4, 2]
    assert [one.reason for one in tree.refused if one.node == ROOT] == ["duplicate"] * 4
    assert tree.tokens == sum(tree.n_tokens) + sum(one.n_tokens for one in tree.refused)


def test_once_is_the_published_rule(fakes: ModuleType):
    tree, proposer = grow(fakes, [[STEP], [OTHER]], expansions=1)
    assert (len(tree.children[ROOT]), len(proposer.keys), tree.rollouts) == (1, 1, 1)


def test_a_node_whose_candidates_all_came_twice_is_not_drawn_again(fakes: ModuleType):
    tree, proposer = grow(fakes, [[STEP, STEP], [OTHER]])
    assert (len(proposer.keys), tree.closed[ROOT]) == (1, True)


def test_a_failed_candidate_asks_for_another_draw_and_is_not_run_again(fakes: ModuleType):
    tree, _ = grow(fakes, [[FAILING], [FAILING, FAILING, OTHER]])
    assert [tree.text[child] for child in tree.children[ROOT]] == [OTHER]
    assert [one.reason for one in tree.refused if one.node == ROOT][:3] == ["error", "duplicate", "duplicate"]
    assert tree.executions == 3  # the failing one once, OTHER and its print


def test_nothing_that_works_in_all_draws(fakes: ModuleType):
    tree, proposer = grow(fakes, [[FAILING]])
    assert (len(tree), tree.closed[ROOT], tree.visits[ROOT], tree.value_sum[ROOT]) == (1, True, 1, -1.0)
    assert len(proposer.keys) == 3


def test_an_answer_pays_for_the_draw_that_led_to_it(fakes: ModuleType):
    """Root draws of 1 and of 2 proposals; print and answer steps of 2 equal ones each (10 tokens a proposal)."""
    tree, _ = grow(fakes, [[STEP], [OTHER, OTHER]], expansions=2, prior="visit", terminal="ppm")
    drafts = tree_drafts(tree)
    assert [(draft.answer, draft.generated_tokens) for draft in drafts] == [("1", 50), ("2", 60)]
    assert sum(draft.generated_tokens for draft in drafts) == tree.tokens
