"""Searching shards of problems in this process: many trees at a time, and nothing lost when it is killed.

A second start does what is missing. A kill at any moment costs the problems that were under way, and the files have the
same bytes as after an undisturbed run. `shards` says what lies where, `cluster` hands the shards to many hosts.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable, Sequence

from rstar_jax.errors import InputError
from rstar_jax.problems.problem import Problem
from rstar_jax.search import shards, store
from rstar_jax.search.budget import NO_LIMIT, Budget, Spent
from rstar_jax.search.progress import Progress, Status, make_progress
from rstar_jax.search.shards import Shard, Survey
from rstar_jax.search.trajectories import n_correct
from rstar_jax.search.tree import Tree

Grow = Callable[[Problem], Awaitable[Sequence[Tree]]]
"""Grows all trees of a problem: one, or several with different indices. They must depend on nothing else."""


@dataclasses.dataclass(frozen=True)
class Share:
    """The shards of one process of several that search side by side: every `of`-th, from number `index` on."""

    index: int = 0
    of: int = 1

    def __post_init__(self) -> None:
        if not 0 <= self.index < self.of:
            raise InputError(f"there is no share {self.index} of {self.of}: they are numbered from 0")

    def __str__(self) -> str:
        return f"{self.index}-of-{self.of}"


WHOLE = Share()


class Searcher:
    """Searches shards. Several may be under way: one begins no problem before those in front have begun all of theirs.

    concurrency: problems under way at a time, over all shards. stopped: asked before a problem is begun; once it says
    yes, shards end with the trees they have. resumed: told of the tokens that finished problems of a shard took before
    this start. finished: told of every further problem, whether it is solved, and its tokens.
    """

    def __init__(
        self,
        grow: Grow,
        concurrency: int,
        *,
        stopped: Callable[[], bool] = lambda: False,
        resumed: Callable[[Sequence[int]], None] = lambda tokens: None,
        finished: Callable[[bool, int], None] = lambda solved, tokens: None,
    ):
        self._grow, self._stopped, self._resumed, self._finished = grow, stopped, resumed, finished
        self._slots, self._turn = asyncio.Semaphore(concurrency), asyncio.Lock()

    async def search(self, shard: Shard) -> None:
        """Grow what is missing, and write the shard's file. What `grow` raises passes through, in a group."""
        async with asyncio.TaskGroup() as group, self._turn:
            done = await asyncio.to_thread(shards.resume, shard)
            self._resumed(list(done.values()))
            for problem in (problem for problem in shard.problems if problem.id not in done):
                await self._slots.acquire()
                if self._stopped():
                    self._slots.release()
                    break
                group.create_task(self._one(shard, problem))
        await asyncio.to_thread(shards.commit, shard)

    async def _one(self, shard: Shard, problem: Problem) -> None:
        try:
            trees = sorted(await self._grow(problem), key=lambda tree: tree.index)
            if not trees:
                raise ValueError(f"no tree was grown for problem {problem.id!r}")
            await asyncio.to_thread(store.write_trees, shard.part(problem), trees)
        finally:
            self._slots.release()
        self._finished(any(map(n_correct, trees)), sum(tree.tokens for tree in trees))


async def run(
    work: Survey,
    grow: Grow,
    *,
    concurrency: int = 64,
    label: str = "search",
    status: Status | None = None,
    budget: Budget = NO_LIMIT,
    share: Share = WHOLE,
) -> None:
    """Search what is missing of this process's share of the shards.

    concurrency: problems under way at a time. status: words for the progress line. budget: of all processes together;
    when to leave the rest out, in the order of the problems. What `grow` raises ends the run; what is finished by then
    stays.
    """
    if not work.missing:
        return
    spent = Spent(work.missing[0].folder, str(share), budget, tokens=work.done.tokens, processes=share.of)
    progress = make_progress(work.n_problems, work.done.problems, label, status)
    searcher = Searcher(
        grow,
        concurrency,
        stopped=spent.is_spent,
        resumed=lambda tokens: _count_resumed(tokens, spent, progress),
        finished=lambda solved, tokens: _count_finished(solved, tokens, spent, progress),
    )
    try:
        async with asyncio.TaskGroup() as group:
            for shard in work.missing:
                group.create_task(searcher.search(shard))
    finally:
        progress.close()
        spent.write()


def _count_resumed(tokens: Sequence[int], spent: Spent, progress: Progress) -> None:
    spent.add(sum(tokens))
    progress.skip(len(tokens))


def _count_finished(solved: bool, tokens: int, spent: Spent, progress: Progress) -> None:
    spent.add(tokens)
    progress.advance(solved, tokens)
