"""Thinking with made-up models: repeatable, and never without the best so far."""

from __future__ import annotations

import asyncio
import dataclasses
import time

import pytest

from rstar_jax.search import presets
from rstar_jax.search.config import SearchConfig
from rstar_jax.search.mcts import search
from rstar_jax.thinking.thought import Effort, as_problem, begin, grow, with_effort

EVAL = dataclasses.replace(presets.default("eval"), rollouts=4, candidates=5)
ONE_TREE = Effort()


def outcome(thought) -> dict:
    """Without the time it took."""
    return {name: value for name, value in thought.to_json().items() if name != "seconds"}


@pytest.fixture
def think(fakes):
    """A whole thought. delay: seconds at most that each fake takes to answer."""

    async def run(question: str, effort: Effort = ONE_TREE, delay: float = 0.0, proposer=None, **options):
        thought = begin(as_problem(question), EVAL, effort)
        proposer = proposer or fakes.FakeProposer(delay)
        return await grow(thought, proposer, fakes.FakeExecutor(delay), fakes.FakeScorer(delay), **options)

    return run


class Tired:
    """A proposer that answers some times and then not any more. left: calls that were cancelled."""

    def __init__(self, proposer, times: int):
        self.proposer, self.times, self.left = proposer, times, 0

    async def propose(self, path, n, key):
        if self.times == 0:
            try:
                await asyncio.sleep(60)
            finally:
                self.left += 1
        self.times -= 1
        return await self.proposer.propose(path, n, key)


def test_effort_changes_the_search():
    config = SearchConfig(rollouts=8, candidates=8, answer_candidates=4)
    assert with_effort(config, Effort()) == config
    changed = with_effort(config, Effort(rollouts=3, candidates=2))
    assert (changed.rollouts, changed.candidates, changed.answer_candidates) == (3, 2, 2)
    thought = begin(as_problem("What?"), config, Effort(rollouts=3, trajectories=2, seed=7))
    assert [(tree.seed, tree.index) for tree in thought.trees] == [(7, 0), (7, 1)]
    assert thought.rollouts == 6
    for name in ("rollouts", "trajectories", "candidates", "max_tokens"):
        with pytest.raises(ValueError, match=f"{name}=0"):
            Effort(**{name: 0})


def test_trees_are_those_of_search(fakes, think):
    thought = asyncio.run(think("What is 3?", Effort(trajectories=2, seed=5)))
    tools = fakes.FakeProposer(), fakes.FakeExecutor()
    for index, tree in enumerate(thought.trees):
        alone = search(as_problem("What is 3?"), EVAL, *tools, scorer=fakes.FakeScorer(), seed=5, tree_index=index)
        assert fakes.content(tree) == fakes.content(asyncio.run(alone))
    assert thought.ending == "done"


def test_neither_time_nor_neighbours_change_an_answer(think):
    questions = [f"What is {number}?" for number in range(12)]

    async def together():
        return await asyncio.gather(*(think(question, Effort(trajectories=2), delay=0.002) for question in questions))

    crowd = [outcome(thought) for thought in asyncio.run(together())]
    assert crowd == [outcome(asyncio.run(think(question, Effort(trajectories=2)))) for question in questions]
    assert crowd[0] != outcome(asyncio.run(think(questions[0], Effort(trajectories=2, seed=1)))) | {"seed": 0}


@pytest.mark.parametrize("ending", ["time", "stopped"])
def test_what_ends_early_ends_with_the_best_so_far(fakes, think, ending):
    tired = Tired(fakes.FakeProposer(), 6)

    async def run():
        stop = asyncio.Event()
        if ending == "stopped":
            asyncio.get_running_loop().call_later(0.1, stop.set)
        limit = 0.1 if ending == "time" else None
        return await think("What is 2?", Effort(trajectories=2), proposer=tired, seconds=limit, stop=stop)

    start = time.monotonic()
    thought = asyncio.run(run())
    assert time.monotonic() - start < 10
    found = thought.outcome()
    assert (thought.ending, tired.left) == (ending, 2)
    assert found.answer is not None
    assert 0 < found.rollouts < thought.rollouts
    assert 0.05 < thought.seconds < 10


def test_who_is_cancelled_leaves_nothing_running(fakes, think):
    tired = Tired(fakes.FakeProposer(), 3)

    async def run():
        task = asyncio.create_task(think("What?", Effort(trajectories=3), proposer=tired))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return len(asyncio.all_tasks())

    assert asyncio.run(run()) == 1
    assert tired.left == 3


def test_a_failure_comes_out_as_it_is(fakes, think):
    class Broken:
        async def propose(self, path, n, key):
            raise OSError("the device burns")

    with pytest.raises(OSError, match="the device burns"):
        asyncio.run(think("What?", Effort(trajectories=2), proposer=Broken()))


def test_rollouts_are_told(think):
    seen = []
    thought = asyncio.run(think("What is 5?", on_rollout=lambda thought: seen.append(thought.outcome().rollouts)))
    assert seen == list(range(1, thought.outcome().rollouts + 1))
