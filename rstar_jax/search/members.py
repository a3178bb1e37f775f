"""The hosts of a search on a Ray cluster: an actor on each, and how the driver sees it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from typing import Any

from rstar_jax.errors import InputError, first_leaf
from rstar_jax.search.runner import Grow, Searcher
from rstar_jax.search.shards import Shard

OpenGrow = Callable[[], contextlib.AbstractAsyncContextManager[Grow]]
"""Makes what grows trees, in the process that is to grow them; has to be something that pickle can send."""

_FAILURES_OF_ONE = 2  # in a row, after which an actor is taken to be broken
_LONGEST_REST = 600.0


class HostTrouble(Exception):
    """An actor could not make what grows trees; no shard is to blame."""


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
                try:
                    grow = await self._stack.enter_async_context(self._open_grow())
                except Exception as error:
                    raise HostTrouble(first_line(error)) from None
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


class Member:
    """An actor as the driver sees it: whether it answers, gets on, and may have work.

    Ray restarts an actor whose process ends. One that hangs, cannot be made, or fails again and again is replaced;
    after each failure it rests, for longer each time.
    """

    def __init__(
        self,
        open_grow: OpenGrow,
        concurrency: int,
        resources: Mapping[str, float],
        rest_seconds: float,
        clock: Callable[[], float],
    ):
        self._ray, self._clock, self._rest_seconds = import_ray(), clock, rest_seconds
        self._make = lambda: _make(self._ray, open_grow, concurrency, resources)
        self._failures, self._rests_until = 0, clock()
        self._start()

    def _start(self) -> None:
        self.actor = self._make()
        self._beat: Any = None
        self._asked = self.since = self._clock()  # since: it last got on, or was given its first shard
        self._finished = 0
        self.answers = False

    @property
    def is_ready(self) -> bool:
        return self.answers and self._clock() >= self._rests_until

    def search(self, shard: Shard) -> Any:
        """A reference to wait for."""
        return self.actor.search.remote(shard)

    def stop(self) -> None:
        self.actor.stop.remote()

    def listen(self, every: float) -> bool:
        """Ask now and then how far it is; whether it has finished problems since. Raises RayError: it is lost."""
        now = self._clock()
        if self._beat is None and now - self._asked >= every:
            self._asked, self._beat = now, self.actor.finished.remote()
        if self._beat is None or not self._ray.wait([self._beat], timeout=0)[0]:
            return False
        beat, self._beat = self._beat, None
        try:
            finished = self._ray.get(beat)
        except self._ray.exceptions.RayError:
            self.answers = False
            raise
        gets_on = finished > self._finished
        if gets_on or not self.answers:
            self.since = now
        self.answers, self._finished = True, finished
        return gets_on

    def succeeded(self) -> None:
        self._failures = 0

    def failed(self, broken: bool) -> None:
        """It rests; a broken one, or one that has failed before, is replaced."""
        self._failures += 1
        rest = min(self._rest_seconds * 2 ** (self._failures - 1), _LONGEST_REST)
        self._rests_until = self._clock() + rest
        if broken or self._failures >= _FAILURES_OF_ONE:
            self.replace()

    def replace(self) -> None:
        self._ray.kill(self.actor)
        self._start()

    def close(self) -> None:
        with contextlib.suppress(self._ray.exceptions.RayError):
            self._ray.get(self.actor.close.remote(), timeout=10)
        self._ray.kill(self.actor)


def _make(ray: Any, open_grow: OpenGrow, concurrency: int, resources: Mapping[str, float]) -> Any:
    wanted = dict(resources)
    options = {"num_cpus": wanted.pop("CPU", 0), "num_gpus": wanted.pop("GPU", 0), "resources": wanted}
    host = ray.remote(_Host).options(max_restarts=-1, max_concurrency=1000, **options)
    return host.remote(open_grow, concurrency)


def first_line(error: BaseException) -> str:
    """What an error, or the first of a group, says."""
    leaf = first_leaf(error)
    return f"{type(leaf).__name__}: {leaf}".strip().splitlines()[0]


def import_ray() -> Any:
    """Raises InputError: it is not installed."""
    try:
        import ray
    except ImportError:
        raise InputError("Ray is not installed; `pip install .[ray]` brings it") from None
    return ray
