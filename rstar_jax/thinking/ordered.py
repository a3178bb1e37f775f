"""Work on things that come one by one: some at a time, results in the order of the things."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


async def in_order(
    things: AsyncIterator[T], work: Callable[[T], Awaitable[R]], at_once: int, stop: asyncio.Event
) -> AsyncIterator[R]:
    """The results of `work`, each as soon as it and all before it are there.

    `at_once` things are at work at a time, and no more are asked for meanwhile. After `stop` is set none is begun.
    What `things` or `work` raises is raised in its place.
    """
    begun = asyncio.Queue[asyncio.Task[R] | None]()
    places = asyncio.Semaphore(at_once)

    async def one(thing: T) -> R:
        try:
            return await work(thing)
        finally:
            places.release()

    async def begin() -> None:
        try:
            while True:
                await places.acquire()
                thing = await _next(things, stop)
                if thing is None:
                    return
                begun.put_nowait(asyncio.create_task(one(thing)))
        finally:
            begun.put_nowait(None)

    beginning = asyncio.create_task(begin())
    open_tasks: list[asyncio.Task] = [beginning]
    try:
        while (task := await begun.get()) is not None:
            open_tasks.append(task)
            yield await task
            open_tasks.remove(task)
        await beginning
    finally:
        while not begun.empty():
            if (task := begun.get_nowait()) is not None:
                open_tasks.append(task)
        for task in open_tasks:
            task.cancel()
        await asyncio.wait(open_tasks)


async def _next(things: AsyncIterator[T], stop: asyncio.Event) -> T | None:
    """The next thing; None if there is none, or `stop` is set first."""
    coming = asyncio.ensure_future(anext(things, None))
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({coming, stopping}, return_when=asyncio.FIRST_COMPLETED)
        return None if stopping.done() else coming.result()
    finally:
        coming.cancel()
        stopping.cancel()
