"""Who is served next, and where."""

from __future__ import annotations

import asyncio

from rstar_jax.execution.queues import FairQueue, Homes
from rstar_jax.execution.slots import Slots


def test_problems_take_turns() -> None:
    queue: FairQueue[str] = FairQueue()
    for item in ["a1", "a2", "a3", "b1", "c1", "c2"]:
        queue.put(item[0], item)
    assert queue.front() == "a1"
    assert [queue.get() for _ in range(len(queue))] == ["a1", "b1", "c1", "a2", "c2", "a3"]
    assert len(queue) == 0


def test_a_history_is_at_home_where_its_longest_beginning_was_run() -> None:
    homes = Homes(3)
    homes.settle(("a",), 0)
    homes.settle(("a", "b"), 1)
    assert homes.find(("a", "b", "c")) == 1
    assert homes.find(("a", "x")) == 0
    assert homes.find(()) is None
    homes.settle(("c",), 1)
    homes.settle(("d",), 1)
    assert homes.find(("a", "x")) is None  # forgotten


def test_requests_go_home_and_no_cell_idles_while_one_waits() -> None:
    async def scenario() -> None:
        homes = Homes(10)
        homes.settle(("a",), 1)
        slots = Slots(2, homes)
        assert await slots.acquire(("a",), "a") == 1
        assert await slots.acquire(("a",), "a") == 0  # its home is busy, another cell is not
        waiting = [asyncio.create_task(slots.acquire((name,), name)) for name in "ab"]
        await asyncio.sleep(0)
        slots.release(0)
        assert await waiting[1] == 0  # b has no home
        slots.release(1)
        assert await waiting[0] == 1
        waiting = [asyncio.create_task(slots.acquire(("a",), "a")) for _ in range(2)]
        await asyncio.sleep(0)
        slots.release(0)  # nobody waits for it, so it helps out
        assert await waiting[0] == 0
        waiting[1].cancel()
        await asyncio.sleep(0)
        slots.release(1)
        assert await slots.acquire((), "") == 1  # the cancelled request holds nothing

    asyncio.run(scenario())


def test_a_request_that_is_cancelled_as_it_is_served_gives_the_cell_back() -> None:
    async def scenario() -> None:
        slots = Slots(1, Homes(1))
        await slots.acquire((), "")
        task = asyncio.create_task(slots.acquire((), ""))
        await asyncio.sleep(0)
        slots.release(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert await asyncio.wait_for(slots.acquire((), ""), 1) == 0

    asyncio.run(scenario())
