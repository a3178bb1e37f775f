"""Which waiting request gets which cell, and when. No request waits while a cell is idle."""

from __future__ import annotations

import asyncio
import dataclasses
import itertools

from .queues import FairQueue, Homes


@dataclasses.dataclass(frozen=True)
class _Waiter:
    ticket: int
    slot: asyncio.Future[int]


class Slots:
    """Rights to use a cell, by its number. Requests prefer the cell that has run their history."""

    def __init__(self, count: int, homes: Homes) -> None:
        self._homes = homes
        self._idle = set(range(count))
        self._tickets = itertools.count()
        self._at_home: list[FairQueue[_Waiter]] = [FairQueue() for _ in range(count)]
        self._anywhere: FairQueue[_Waiter] = FairQueue()

    async def acquire(self, history: tuple[str, ...], problem: str) -> int:
        """Wait for a cell. Waiters of different problems take turns."""
        home = self._homes.find(history)
        if self._idle:
            slot = home if home in self._idle else min(self._idle)
            self._idle.remove(slot)
            return slot
        waiter = _Waiter(next(self._tickets), asyncio.get_running_loop().create_future())
        (self._anywhere if home is None else self._at_home[home]).put(problem, waiter)
        try:
            return await waiter.slot
        except asyncio.CancelledError:
            if waiter.slot.done() and not waiter.slot.cancelled():
                self.release(waiter.slot.result())  # it came too late to be used
            raise

    def release(self, slot: int) -> None:
        """Hand the cell to who waits for it, or has no preference, or waits for another: in that order."""
        while queue := self._next_queue(slot):
            waiter = queue.get()
            if not waiter.slot.done():  # it may have been cancelled
                waiter.slot.set_result(slot)
                return
        self._idle.add(slot)

    def _next_queue(self, slot: int) -> FairQueue[_Waiter] | None:
        first_choice = [queue for queue in (self._at_home[slot], self._anywhere) if len(queue)]
        if first_choice:
            return min(first_choice, key=lambda queue: queue.front().ticket)
        longest = max(self._at_home, key=len)
        return longest if len(longest) else None
