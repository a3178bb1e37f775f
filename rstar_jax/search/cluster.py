"""A search on a Ray cluster: actors that hold an engine each, and shards of problems handed to whoever is free.

An actor has up to two shards, so that its engine stays busy while the last problems of one are finished. It may die,
with its host or alone, or hang: then its shards go back into the queue and Ray starts it anew. What the shards have in
their folder by then is kept, if the folder is one that all hosts see, as it has to be. Trees depend on nothing that a
cluster decides, so they are those of a single machine.

Ray is an extra of the package. Only this file knows it.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import dataclasses
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rstar_jax.errors import InputError, first_leaf
from rstar_jax.search import shards, store
from rstar_jax.search.budget import NO_LIMIT, Budget, Spent
from rstar_jax.search.progress import Progress, make_progress, say
from rstar_jax.search.runner import Grow, Searcher
from rstar_jax.search.shards import Shard

OpenGrow = Callable[[], contextlib.AbstractAsyncContextManager[Grow]]
"""Makes what grows trees, in the process that is to grow them; has to be something that pickle can send."""
SHARDS_PER_HOST = 2
_SECONDS_BETWEEN_LOOKS = 1.0


@dataclasses.dataclass(frozen=True)
class ClusterConfig:
    """How a search uses a Ray cluster.

    Attributes:
      hosts: actors. Those that find no place yet wait until the cluster grows.
      resources: what each asks Ray for, such as {"CPU": 4} or {"TPU": 4}; actors with as much as a host has get one
        host each.
      attempts: of a shard, before the search gives it up; the others are finished first.
      stall_seconds: without an answer, or with shards but no finished problem, after which an actor is taken for hung.
        It has to be longer than an engine takes to start and than any problem.
      concurrency: problems that an actor has under way at a time.
    """

    hosts: int
    resources: Mapping[str, float]
    attempts: int = 5
    stall_seconds: float = 3600.0
    concurrency: int = 64

    def __post_init__(self) -> None:
        if self.hosts < 1 or self.attempts < 1 or self.concurrency < 1 or self.stall_seconds <= 0:
            raise InputError("a cluster needs at least one host, one attempt, one problem at a time and some patience")


class Trouble(Exception):
    """An attempt at a shard that failed; it is made good by another one, or the shard is given up."""


class _Host:
    """The actor: searches shards in its process, several at a time."""

    def __init__(self, open_grow: OpenGrow, concurrency: int):
        self._open_grow, self._concurrency = open_grow, concurrency
        self._opening, self._stack = asyncio.Lock(), contextlib.AsyncExitStack()
        self._searcher: Searcher | None = None
        self._finished, self._stopped = 0, False

    async def search(self, shard: Shard) -> None:
        async with self._opening:
            if self._searcher is None:
                grow = await self._stack.enter_async_context(self._open_grow())
                self._searcher = Searcher(
                    grow, self._concurrency, stopped=lambda: self._stopped, finished=self._count
                )
        await self._searcher.search(shard)

    def _count(self, solved: bool, tokens: int) -> None:
        self._finished += 1

    async def finished(self) -> int:
        """Problems since the actor started."""
        return self._finished

    async def stop(self) -> None:
        """Begin no further problem."""
        self._stopped = True

    async def close(self) -> None:
        await self._stack.aclose()


def search(
    folder_shards: Sequence[Shard],
    open_grow: OpenGrow,
    config: ClusterConfig,
    *,
    label: str = "search",
    budget: Budget = NO_LIMIT,
    trouble: Callable[[Trouble], None] = lambda what: say(str(what)),
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Search the shards that are not complete yet on the cluster that `ray.init` has joined.

    budget: tokens are counted when a shard is finished; no problem is begun after that. trouble: told of attempts that
    failed.

    Raises:
      InputError: Ray is not installed.
      RuntimeError: shards were given up; it names the first and its last error. The others are finished, unless none
        is.
    """
    complete = [shard for shard in folder_shards if shards.is_complete(shard)]
    missing = [shard for shard in folder_shards if shard not in set(complete)]
    if not missing:
        return
    sizes = [len(shard.problems) for shard in folder_shards]
    progress = make_progress(sum(sizes), sum(len(shard.problems) for shard in complete), label)
    before = sum(store.read_summary(shard.file).tokens for shard in complete)
    spent = Spent(missing[0].folder / "spent" / "cluster.json", before, clock)
    work = _Search(missing, open_grow, config, budget, spent, progress, trouble, clock)
    try:
        work.to_the_end()
    finally:
        progress.close()
        spent.write()
        work.close()


@dataclasses.dataclass
class _Member:
    """An actor as the driver sees it. beat: a question that it has not answered yet."""

    actor: Any
    since: float  # when it was started or last got on
    answers: bool = False
    finished: int = 0
    beat: Any = None


class _Search:
    """A search in progress: the queue, who has which shard, and who is alive."""

    def __init__(
        self,
        missing: Sequence[Shard],
        open_grow: OpenGrow,
        config: ClusterConfig,
        budget: Budget,
        spent: Spent,
        progress: Progress,
        trouble: Callable[[Trouble], None],
        clock: Callable[[], float],
    ):
        self._ray = import_ray()
        self._config, self._budget, self._spent, self._progress = config, budget, spent, progress
        self._clock, self._open_grow, self._trouble = clock, open_grow, trouble
        self._queue = collections.deque((shard, 1) for shard in missing)
        self._flights: dict[Any, tuple[_Member, Shard, int]] = {}
        self._stopping = False
        self._given_up: list[Trouble] = []
        self._in_vain = 0  # attempts since a shard was finished
        self._members = [self._start() for _ in range(min(config.hosts, len(missing)))]

    def to_the_end(self) -> None:
        while self._queue or self._flights:
            self._stop_if_spent()
            self._hand_out()
            waited_for = [*self._flights] or [member.beat for member in self._members if member.beat is not None]
            ready = self._ray.wait(waited_for, timeout=_SECONDS_BETWEEN_LOOKS)[0] if waited_for else []
            for flight in self._flights.keys() & set(ready):
                self._land(flight)
            for member in list(self._members):
                self._look_after(member)
        if self._given_up:
            raise RuntimeError(f"{len(self._given_up)} shards were given up; the first: {self._given_up[0]}")

    def close(self) -> None:
        for member in self._members:
            with contextlib.suppress(self._ray.exceptions.RayError):
                self._ray.get(member.actor.close.remote(), timeout=10)
            self._ray.kill(member.actor)

    def _start(self) -> _Member:
        wanted = dict(self._config.resources)
        options = {"num_cpus": wanted.pop("CPU", 0), "num_gpus": wanted.pop("GPU", 0), "resources": wanted}
        host = self._ray.remote(_Host).options(max_restarts=-1, max_concurrency=1000, **options)
        return _Member(host.remote(self._open_grow, self._config.concurrency), self._clock())

    def _stop_if_spent(self) -> None:
        if self._stopping or not self._spent.reaches(self._budget):
            return
        self._stopping = True
        for member in self._members:
            member.actor.stop.remote()
        for shard, _ in self._queue:
            shards.commit(shard)  # with what it has, most likely nothing
        self._queue.clear()

    def _hand_out(self) -> None:
        for _ in range(SHARDS_PER_HOST):
            for member in self._members:
                has = sum(other is member for other, _, _ in self._flights.values())
                if self._queue and member.answers and has < SHARDS_PER_HOST:
                    shard, attempt = self._queue.popleft()
                    if not has:
                        member.since = self._clock()
                    self._flights[member.actor.search.remote(shard)] = (member, shard, attempt)

    def _land(self, flight: Any) -> None:
        """A shard is finished, or has failed."""
        member, shard, attempt = self._flights.pop(flight)
        try:
            self._ray.get(flight)
        except self._ray.exceptions.RayActorError as error:
            member.answers = False
            self._again(shard, attempt, f"its host was lost ({_first_line(error)})")
        except self._ray.exceptions.RayTaskError as error:
            self._again(shard, attempt, _first_line(error.cause or error))
        else:
            self._in_vain = 0
            found = store.read_summary(shard.file)
            self._spent.add(found.tokens)
            solved = sum(solved for _, solved in found.levels.values())
            self._progress.advance(solved, found.tokens, found.problems)

    def _again(self, shard: Shard, attempt: int, why: str) -> None:
        trouble = Trouble(f"shard {shard.number}, attempt {attempt} of {self._config.attempts}: {why}")
        self._trouble(trouble)
        self._in_vain += 1
        if self._in_vain >= self._config.attempts * len(self._members):
            raise RuntimeError(f"no shard gets finished; the last that failed was {trouble}")
        if attempt == self._config.attempts:
            self._given_up.append(trouble)
        elif self._stopping:
            shards.commit(shard)
        else:
            self._queue.appendleft((shard, attempt + 1))

    def _look_after(self, member: _Member) -> None:
        """Ask how far it is; who does not get on for too long is ended, and Ray starts it anew."""
        if member.beat is None:
            member.beat = member.actor.finished.remote()
        ready, _ = self._ray.wait([member.beat], timeout=0)
        if ready:
            self._hear(member)
        busy = any(other is member for other, _, _ in self._flights.values())
        if busy and self._clock() - member.since > self._config.stall_seconds:
            self._replace(member)

    def _hear(self, member: _Member) -> None:
        beat, member.beat = member.beat, None
        try:
            finished = self._ray.get(beat)
        except self._ray.exceptions.RayActorError:
            member.answers = False
            return
        if not member.answers or finished != member.finished:
            member.since = self._clock()
        member.answers, member.finished = True, finished

    def _replace(self, member: _Member) -> None:
        """Its process may be beyond hearing, so another actor takes its place."""
        for flight in [flight for flight, (other, _, _) in self._flights.items() if other is member]:
            _, shard, attempt = self._flights.pop(flight)
            self._again(shard, attempt, f"no problem finished within {self._config.stall_seconds:g} s")
        self._ray.kill(member.actor)
        self._members[self._members.index(member)] = self._start()


def _first_line(error: BaseException) -> str:
    leaf = first_leaf(error)
    return f"{type(leaf).__name__}: {leaf}".strip().splitlines()[0]


def import_ray() -> Any:
    """Raises InputError: it is not installed."""
    try:
        import ray
    except ImportError:
        raise InputError("Ray is not installed; `pip install .[ray]` brings it") from None
    return ray
