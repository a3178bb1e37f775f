"""Step beam search on a policy written down by hand, and its promises on random ones."""

from __future__ import annotations

import asyncio
import dataclasses
import itertools
import math
import pathlib
from collections.abc import Sequence
from types import ModuleType

import pytest

from rstar_jax.evaluation.methods import tree_drafts
from rstar_jax.search import presets, store
from rstar_jax.search.config import SearchConfig
from rstar_jax.search.mcts import extend, search
from rstar_jax.search.protocols import Path, Proposal
from rstar_jax.search.trajectories import best_path, trajectories
from rstar_jax.search.tree import INNER_KINDS, NO_PARENT, ROOT, Tree, path

BOOK = {  # steps so far → what is proposed then; a step ends in its PPM score, an answer begins with "="
    "": ["a .5", "b .9", "c .7", "d .7"],
    "b .9": ["e .1", "=1 .95"],
    "c .7": ["f .3", "g .2"],
    "c .7/f .3": ["=2 .6"],
    "c .7/g .2": ["h .4"],
    "c .7/g .2/h .4": ["=3 .8", "=2 .1"],
}
PRESETS = {"beam": presets.beam(3, 4), "wide": presets.beam(50, 3), "dvts": presets.dvts()}
PRESETS["leaves"] = dataclasses.replace(PRESETS["beam"], errors="leaf", exhausted="lazy", prior="propagated")


def name_of(step: str) -> str:
    return step.partition("<end")[0].removeprefix("<answer>\\boxed{").replace("}", "").strip()


def names(tree: Tree) -> list[str]:
    return [name_of(text) for text in tree.text]


@dataclasses.dataclass
class Book:
    """Proposes what is written, each of 10 tokens."""

    pages: dict[str, list[str]]

    async def propose(self, path: Path, n: int, key: int) -> list[Proposal]:
        names = self.pages["/".join("=" * ("boxed" in step) + name_of(step) for step in path.steps)]
        return [Proposal(self._text(name), "stop", -1.0, 10) for name in names]

    def _text(self, name: str) -> str:
        if name.startswith("="):
            answer, score = name[1:].split()
            return f"<answer>\\boxed{{{answer}}} {score}<end_of_answer>"
        return f"{name}\n<end_of_step>"


@dataclasses.dataclass
class Marks:
    """Scores a step by the number in it; remembers how many it was asked for at a time."""

    calls: list[int] = dataclasses.field(default_factory=list)

    async def score(self, paths: Sequence[Path]) -> list[float]:
        self.calls.append(len(paths))
        return [float(name_of(path.steps[-1]).split()[-1]) for path in paths]


def grow(fakes: ModuleType, pages: dict[str, list[str]], marks: Marks | None = None, **settings: object) -> Tree:
    config = SearchConfig(**{"beam": 2, "prior": "visit", "terminal": "ppm", "rollouts": 1, **settings})
    return asyncio.run(search(fakes.PROBLEM, config, Book(pages), fakes.FakeExecutor(), None, marks or Marks()))


def test_the_steps_with_the_best_scores_are_grown_on(fakes: ModuleType):
    tree = grow(fakes, BOOK)
    drawn = [name for name, times in zip(names(tree), tree.drawn, strict=True) if times]
    assert drawn == ["", "b .9", "c .7", "f .3", "g .2", "h .4"]
    assert all(tree.closed)
    assert tree.created_at == [0] + [depth - 1 for depth in tree.depth[1:]]
    assert (tree.rollouts, tree.proposals, tree.tokens) == (4, 12, 120)


def test_children_hang_on_the_step_that_was_asked(fakes: ModuleType):
    """Although answers come between the open steps (item 11)."""
    tree = grow(fakes, BOOK)
    above = {name: names(tree)[parent] for name, parent in zip(names(tree), tree.parent, strict=True) if name}
    assert above == {
        **dict.fromkeys(["a .5", "b .9", "c .7", "d .7"], ""),
        **dict.fromkeys(["e .1", "1 .95"], "b .9"),
        **dict.fromkeys(["f .3", "g .2"], "c .7"),
        **{"2 .6": "f .3", "h .4": "g .2"},
        **dict.fromkeys(["3 .8", "2 .1"], "h .4"),
    }


def test_answers_stay_and_free_their_slots(fakes: ModuleType):
    """The answer 1 has a higher score than f and g, which are both kept all the same."""
    tree = grow(fakes, BOOK)
    assert [(one.answer, one.ppm) for one in trajectories(tree)] == [("1", 0.95), ("2", 0.6), ("3", 0.8), ("2", 0.1)]
    found = best_path(tree)
    assert found is not None
    assert (found.answer, found.nodes) == ("1", (2, 6))


def test_the_first_of_equals_is_kept(fakes: ModuleType):
    """Of siblings, and of steps of different parents, of which the one before was proposed first."""
    pages = {"": ["a .3", "b .5", "c .3"], "b .5": ["d .1"], "a .3": ["e .1", "f .1"]}
    tree = grow(fakes, pages | {"a .3/e .1": ["=1 .1"], "a .3/f .1": ["=2 .1"], "b .5/d .1": ["=3 .1"]})
    assert [names(tree)[node] for node in range(len(tree)) if tree.drawn[node]] == ["", "a .3", "b .5", "e .1", "f .1"]


def test_a_level_is_scored_in_one_call(fakes: ModuleType):
    marks = Marks()
    tree = grow(fakes, BOOK, marks)
    assert marks.calls == [4, 4, 2, 2]
    assert tree.scored == 12


def test_it_ends_at_max_depth(fakes: ModuleType):
    tree = grow(fakes, BOOK, max_depth=2)
    assert [kind for kind, depth in zip(tree.kind, tree.depth, strict=True) if depth == 2] == [
        "too_many_steps",
        "answer",
        "too_many_steps",
        "too_many_steps",
    ]
    assert (tree.rollouts, max(tree.depth)) == (2, 2)


def test_it_ends_where_nothing_works(fakes: ModuleType):
    tree = grow(fakes, {"": ["<code>\nfail() .5"]})
    assert (len(tree), tree.rollouts, tree.closed, tree.refused[0].reason) == (1, 1, [True], "error")


def test_stop_rules_and_levels_are_seen(fakes: ModuleType):
    assert grow(fakes, BOOK, stop_tokens=50).rollouts == 2
    seen: list[int] = []
    config = SearchConfig(beam=2, prior="visit", terminal="ppm", stop_solved=1)
    tools = (Book(BOOK), fakes.FakeExecutor(), fakes.FakeGrader(), Marks())
    asyncio.run(search(fakes.PROBLEM, config, *tools, on_rollout=lambda tree: seen.append(tree.rollouts)))
    assert seen == [1, 2, 3]  # the answer 2 is right


def test_what_a_beam_cannot_have_is_refused(fakes: ModuleType):
    needed: dict[str, object] = {"beam": 2, "terminal": "ppm", "prior": "visit"}
    for change in ({"terminal": "truth"}, {"prior": "none"}, {"expansions": 2}, {"beam": 0}):
        with pytest.raises(ValueError, match=r"SearchConfig\.beam"):
            SearchConfig(**needed | change)
    with pytest.raises(ValueError, match="scorer"):
        asyncio.run(search(fakes.PROBLEM, SearchConfig(**needed), Book(BOOK), fakes.FakeExecutor()))
    with pytest.raises(ValueError, match="beam search has no rollouts"):
        asyncio.run(extend(grow(fakes, BOOK), 1, Book(BOOK), fakes.FakeExecutor(), None, Marks()))


@pytest.mark.parametrize("name", PRESETS)
def test_at_each_level_the_best_open_steps_and_no_others_are_drawn_from(fakes: ModuleType, name: str):
    config = PRESETS[name]
    left_out = 0
    for seed in range(20):
        tree = asyncio.run(fakes.grow(config, seed=seed))
        for level in range(tree.rollouts):
            new = [node for node in range(1, len(tree)) if tree.created_at[node] == level]
            steps = [node for node in new if tree.kind[node] in INNER_KINDS]
            ranked = sorted(steps, key=lambda node: (-tree.ppm[node], node))
            assert {node for node in new if tree.drawn[node]} == set(ranked[: config.beam])
            assert all(tree.depth[node] == level + 1 for node in new)
            left_out += len(ranked[config.beam :])
        assert max(tree.drawn) == 1
    assert (left_out > 0) == (name != "wide")


@pytest.mark.parametrize("name", PRESETS)
def test_every_proposal_is_a_node_or_a_refusal_and_pays_its_tokens(fakes: ModuleType, name: str):
    for seed in range(10):
        tree = asyncio.run(fakes.grow(PRESETS[name], seed=seed))
        assert len(tree) - 1 + len(tree.refused) == tree.proposals
        assert sum(tree.n_tokens) + sum(one.n_tokens for one in tree.refused) == tree.tokens
        assert sum(not math.isnan(value) for value in tree.ppm) == tree.scored
        assert sum(draft.generated_tokens for draft in tree_drafts(tree)) == tree.tokens


@pytest.mark.parametrize("name", PRESETS)
def test_timing_and_neighbours_change_nothing(fakes: ModuleType, name: str):
    async def together(seconds: float, turn: int) -> dict[str, str]:
        problems = fakes.problems(6)[::turn]
        trees = await asyncio.gather(*[fakes.grow(PRESETS[name], problem, seconds=seconds) for problem in problems])
        return {tree.problem.id: fakes.content(tree) for tree in trees}

    calm = asyncio.run(together(0.0, 1))
    assert calm == asyncio.run(together(0.003, 1)) == asyncio.run(together(0.003, -1))


def test_a_grader_labels_answers_without_changing_the_search(fakes: ModuleType):
    graded = asyncio.run(fakes.grow(PRESETS["beam"]))
    tools = (fakes.FakeProposer(), fakes.FakeExecutor(), None, fakes.FakeScorer())
    blind = asyncio.run(search(fakes.PROBLEM, PRESETS["beam"], *tools))
    assert any(flag is not None for flag in graded.correct)
    graded.correct = blind.correct
    assert fakes.content(graded) == fakes.content(blind)


def test_files_hold_beam_trees(fakes: ModuleType, tmp_path: pathlib.Path):
    trees = [asyncio.run(fakes.grow(config)) for config in PRESETS.values()]
    store.write_trees(tmp_path / "trees.parquet", trees)
    again = store.read_trees(tmp_path / "trees.parquet")
    assert [fakes.content(tree) for tree in again] == [fakes.content(tree) for tree in trees]


def test_subtrees_of_dvts_are_independent_beams_of_one(fakes: ModuleType):
    """Each follows one path, always by the best open step; and none depends on how many there are."""

    async def subtrees(count: int) -> list[Tree]:
        return await asyncio.gather(*[fakes.grow(presets.dvts(4), index=index) for index in range(count)])

    trees = asyncio.run(subtrees(6))
    for tree in trees:
        expanded = [node for node in range(len(tree)) if tree.drawn[node]]
        assert expanded[0] == ROOT
        assert [tree.parent[node] for node in expanded] == [NO_PARENT, *expanded[:-1]]
        for above, node in itertools.pairwise(expanded):
            steps = [child for child in tree.children[above] if tree.kind[child] in INNER_KINDS]
            assert tree.ppm[node] == max(tree.ppm[child] for child in steps)
    assert len({path(tree, len(tree) - 1).text for tree in trees}) > 1
    assert [fakes.content(tree) for tree in trees[:2]] == [fakes.content(tree) for tree in asyncio.run(subtrees(2))]
    alone = [asyncio.run(fakes.grow(presets.beam(1, 4), index=index)) for index in range(6)]
    assert [fakes.content(tree) for tree in alone] == [fakes.content(tree) for tree in trees]
