"""Thinking about one question: trees that grow until they are done, time is up or somebody has heard enough.

What ends early loses nothing: the trees can be read (`outcome`) at any moment between two steps of the event loop.
"""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
import time
from collections.abc import Callable
from typing import Any, Literal

from rstar_jax.errors import InputError, first_leaf
from rstar_jax.problems.problem import Problem
from rstar_jax.search.config import SearchConfig
from rstar_jax.search.mcts import extend
from rstar_jax.search.protocols import Executor, Proposer, Scorer
from rstar_jax.search.tree import Tree, new_tree
from rstar_jax.thinking.outcome import Outcome, Select, read_outcome

Ending = Literal["running", "done", "time", "stopped"]
"""done: all rollouts, or nothing more could be found; time: the limit was reached; stopped: somebody asked for it."""
Clock = Callable[[], float]


class QuestionTooLong(InputError):
    """A question leaves no room for a solution in the context."""


@dataclasses.dataclass(frozen=True)
class Effort:
    """How much thought a question is worth, and how its answer is chosen.

    What a question is given depends on question, effort and models only; so equal seeds give equal answers.
    """

    rollouts: int | None = None  # of each tree; by default as many as the models' settings say
    trajectories: int = 1  # trees that are grown independently of each other
    candidates: int | None = None  # steps drawn at an expansion; by default as the models' settings say
    max_tokens: int | None = None  # of a solution, the outputs of its code included; by default what the context holds
    select: Select = "best"  # by PPM score, or a vote among all solutions ("weighted": by their scores)
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("rollouts", "trajectories", "candidates", "max_tokens"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name}={value} is not at least 1")


@dataclasses.dataclass
class Thought:
    """A question and its trees. started: by the clock of `grow`, None before. seconds: that it took, at the end."""

    problem: Problem
    effort: Effort
    trees: list[Tree]
    ending: Ending = "running"
    started: float | None = None
    seconds: float | None = None

    @property
    def rollouts(self) -> int:
        """Of all trees together, done and to be done."""
        return sum(tree.config.rollouts for tree in self.trees)

    def outcome(self) -> Outcome:
        return read_outcome(self.trees, self.effort.select)

    def to_json(self) -> dict[str, Any]:
        """The outcome, with question and circumstances."""
        return {
            "question": self.problem.question,
            **self.outcome().to_json(),
            "ending": self.ending,
            "seconds": None if self.seconds is None else round(self.seconds, 3),
            "seed": self.effort.seed,
        }


def as_problem(question: str) -> Problem:
    """A question without a known answer. Its name, on which all chance depends, is a digest of its text."""
    name = hashlib.blake2b(question.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
    return Problem(id=name, question=question, answer="")


def begin(problem: Problem, search: SearchConfig, effort: Effort) -> Thought:
    """A thought with bare trees."""
    config = with_effort(search, effort)
    return Thought(problem, effort, [new_tree(problem, config, effort.seed, i) for i in range(effort.trajectories)])


def with_effort(search: SearchConfig, effort: Effort) -> SearchConfig:
    """The search as an effort wants it."""
    candidates, answers = effort.candidates or search.candidates, search.answer_candidates
    return dataclasses.replace(
        search,
        rollouts=effort.rollouts or search.rollouts,
        candidates=candidates,
        answer_candidates=None if answers is None else min(answers, candidates),
    )


async def grow(
    thought: Thought,
    proposer: Proposer,
    executor: Executor,
    scorer: Scorer,
    *,
    seconds: float | None = None,
    stop: asyncio.Event | None = None,
    on_rollout: Callable[[Thought], None] | None = None,
    clock: Clock = time.monotonic,
) -> Thought:
    """Grow the trees, all at once; the thought is changed in place and returned.

    seconds: to spend at most. stop: ends it when it is set. Either way what was under way is given up.
    """
    thought.started = clock()
    told = None if on_rollout is None else lambda _: on_rollout(thought)

    async def all_trees() -> None:
        async with asyncio.TaskGroup() as group:
            for tree in thought.trees:
                group.create_task(extend(tree, 0, proposer, executor, scorer=scorer, on_rollout=told))

    growing = asyncio.create_task(all_trees())
    stopping = asyncio.create_task((stop or asyncio.Event()).wait())
    try:
        await asyncio.wait({growing, stopping}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        ended: Ending = "done" if growing.done() else "stopped" if stopping.done() else "time"
    finally:
        for task in (growing, stopping):
            task.cancel()
        await asyncio.wait({growing, stopping})
    if not growing.cancelled() and (error := growing.exception()) is not None:
        raise first_leaf(error)
    thought.ending, thought.seconds = ended, clock() - thought.started
    return thought
