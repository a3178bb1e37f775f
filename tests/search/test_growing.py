"""Growing several nodes of a tree together."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable, Sequence
from types import ModuleType

import pytest

from rstar_jax.search.answers import extractor
from rstar_jax.search.config import SearchConfig
from rstar_jax.search.growing import Tools, grow
from rstar_jax.search.protocols import Execution, Path, Proposal
from rstar_jax.search.tree import ROOT, Tree, new_tree

CONFIGS = {
    "graded": SearchConfig(candidates=16),
    "leaves": SearchConfig(candidates=16, errors="leaf", failure_backup="root"),
    "scored": SearchConfig(candidates=16, prior="propagated", terminal="ppm"),
}


def tools_of(fakes: ModuleType, seconds: float = 0.0, **others: object) -> Tools:
    made = {
        "proposer": fakes.FakeProposer(seconds),
        "executor": fakes.FakeExecutor(seconds),
        "grader": fakes.FakeGrader(seconds),
        "scorer": fakes.FakeScorer(seconds),
    }
    return Tools(**made | others, extract=extractor("plain"))


async def grown(tree: Tree, tools: Tools, cut: Callable[[list[int]], list[list[int]]], levels: int = 3) -> Tree:
    """Some levels of a whole tree; `cut` says which nodes of a level are grown together."""
    for _ in range(levels):
        for nodes in cut([node for node in range(len(tree)) if not tree.closed[node] and not tree.drawn[node]]):
            await grow(tree, nodes, tools)
    return tree


@pytest.mark.parametrize("name", CONFIGS)
def test_together_is_one_after_the_other(fakes: ModuleType, name: str):
    """Same nodes, numbers and values; refusals come by stages."""

    async def both(seed: int) -> tuple[Tree, Tree]:
        trees = [new_tree(fakes.PROBLEM, CONFIGS[name], seed) for _ in range(2)]
        await grown(trees[0], tools_of(fakes), lambda nodes: [nodes])
        await grown(trees[1], tools_of(fakes), lambda nodes: [[node] for node in nodes])
        return trees[0], trees[1]

    for seed in range(5):
        together, single = asyncio.run(both(seed))
        assert len({together.parent[node] for node in range(1, len(together))}) > 4
        assert together.value_sum == pytest.approx(single.value_sum)  # sums of the same values in another order
        assert sorted(together.refused, key=repr) == sorted(single.refused, key=repr)
        single.value_sum, single.refused = together.value_sum, together.refused
        assert fakes.content(together) == fakes.content(single)


@pytest.mark.parametrize("name", CONFIGS)
def test_the_order_of_arrival_changes_nothing(fakes: ModuleType, name: str):
    async def one(seconds: float) -> Tree:
        return await grown(new_tree(fakes.PROBLEM, CONFIGS[name]), tools_of(fakes, seconds), lambda nodes: [nodes])

    calm = fakes.content(asyncio.run(one(0.0)))
    assert all(fakes.content(asyncio.run(one(0.003))) == calm for _ in range(3))


def test_children_are_numbered_in_the_order_of_the_nodes(fakes: ModuleType):
    async def backwards() -> Tree:
        return await grown(new_tree(fakes.PROBLEM, CONFIGS["graded"]), tools_of(fakes), lambda nodes: [nodes[::-1]], 2)

    tree = asyncio.run(backwards())
    parents = [tree.parent[node] for node in range(len(tree)) if tree.depth[node] == 2]
    assert len(set(parents)) > 1
    assert parents == sorted(parents, reverse=True)


@dataclasses.dataclass
class Together:
    """Plays all parts; no answer comes before `wanted` requests of a stage wait, so asking in turn would never end."""

    wanted: int
    waiting: dict[str, int] = dataclasses.field(default_factory=dict)
    arrived: asyncio.Condition = dataclasses.field(default_factory=asyncio.Condition)
    scored: list[int] = dataclasses.field(default_factory=list)

    async def _meet(self, stage: str, wanted: int) -> None:
        async with self.arrived:
            self.waiting[stage] = self.waiting.get(stage, 0) + 1
            self.arrived.notify_all()
            await self.arrived.wait_for(lambda: self.waiting[stage] >= wanted)

    async def propose(self, path: Path, n: int, key: int) -> list[Proposal]:
        await self._meet(f"propose {len(path.steps)}", self.wanted if path.steps else 1)
        if not path.steps:
            return [Proposal(f"<code>\nx = {place}\n<end_of_step>") for place in range(n)]
        return [Proposal("\nprint(x)\n<end_of_code>")]

    async def expand(self, history: tuple[str, ...], snippets: Sequence[str]) -> list[Execution]:
        await self._meet(f"expand {len(history)}", self.wanted if history else 1)
        return [Execution("ok", "1") for _ in snippets]

    async def score(self, paths: Sequence[Path]) -> list[float]:
        self.scored.append(len(paths))
        return [0.0] * len(paths)


def test_nodes_wait_for_the_models_together(fakes: ModuleType):
    async def one() -> Together:
        parts = Together(4)
        config = SearchConfig(candidates=4, prior="visit")
        tools = tools_of(fakes, proposer=parts, executor=parts, scorer=parts)
        tree = new_tree(fakes.PROBLEM, config)
        async with asyncio.timeout(10):
            await grown(tree, tools, lambda nodes: [nodes], levels=2)
        assert len(tree.children[ROOT]) == 4
        return parts

    parts = asyncio.run(one())
    assert parts.waiting == {"propose 0": 1, "expand 0": 1, "propose 1": 4, "expand 1": 4}
    assert parts.scored == [4, 4]
