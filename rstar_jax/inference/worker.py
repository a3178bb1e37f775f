"""The loop that both engines run: plan on the event loop, compute in one thread, hand out results.

All bookkeeping happens on the event loop, so nothing is locked; only the device call leaves it, so that other
coroutines go on meanwhile.
"""

from __future__ import annotations

import abc
import asyncio
import concurrent.futures
import time
from types import TracebackType
from typing import Any, Self

import jax
from jax.sharding import Mesh

from rstar_jax.inference.config import Metrics


class Worker(abc.ABC):
    """An asynchronous context manager around a planning loop. Its failure is raised to every waiter."""

    def __init__(self, mesh: Mesh):
        self.mesh = mesh
        self.metrics = Metrics()
        self._open: set[asyncio.Future] = set()
        self._failure: BaseException | None = None
        self._task: asyncio.Task | None = None

    @abc.abstractmethod
    def _plan(self) -> Any | None:
        """What to compute next, or None if there is nothing to do."""

    @abc.abstractmethod
    def _compute(self, plan: Any) -> Any:
        """Run a plan on the device (in the worker's thread, under the mesh) and fetch the result."""

    @abc.abstractmethod
    def _absorb(self, plan: Any, result: Any) -> None:
        """Give the results to those who wait."""

    @abc.abstractmethod
    def _clear(self) -> None:
        """Forget all requests."""

    @property
    def failed(self) -> bool:
        """Whether the loop has met an error, after which nothing is computed any more."""
        return self._failure is not None

    async def __aenter__(self) -> Self:
        if self._task is not None:
            raise RuntimeError("the engine runs already")
        if self._failure is not None:
            raise RuntimeError("the engine has failed") from self._failure
        self._wake = asyncio.Event()
        self._thread = concurrent.futures.ThreadPoolExecutor(1, thread_name_prefix=type(self).__name__)
        self._task = asyncio.get_running_loop().create_task(self._run())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])
        self._thread.shutdown()
        if error is None and self._failure is not None:
            raise RuntimeError("the engine has failed") from self._failure

    def _promise(self) -> asyncio.Future:
        """A future that is sure to be resolved: by the loop, or with its failure."""
        if self._failure is not None:
            raise RuntimeError("the engine has failed") from self._failure
        if self._task is None:
            raise RuntimeError("the engine does not run: use it as `async with engine:`")
        future = asyncio.get_running_loop().create_future()
        self._open.add(future)
        future.add_done_callback(self._open.discard)
        self._wake.set()
        return future

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while True:
                await asyncio.sleep(0)  # whoever got a result just now may ask for more
                self._wake.clear()
                plan = self._plan()
                if plan is None:
                    await self._wake.wait()
                else:
                    self._absorb(plan, await loop.run_in_executor(self._thread, self._timed, plan))
        except BaseException as error:
            self._raise_to_all(error)
            if not isinstance(error, Exception):
                raise
            self._failure = error

    def _timed(self, plan: Any) -> Any:
        start = time.perf_counter()
        with jax.set_mesh(self.mesh):
            result = self._compute(plan)
        self.metrics.device_seconds += time.perf_counter() - start
        self.metrics.dispatches += 1
        return result

    def _raise_to_all(self, error: BaseException) -> None:
        self._clear()
        for future in list(self._open):
            if not future.done():
                failure = RuntimeError("the engine has failed or was closed")
                failure.__cause__ = error
                future.set_exception(failure)
