"""How much one client and all of them may have."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from collections.abc import AsyncIterator, Iterator


@dataclasses.dataclass(frozen=True)
class Limits:
    """Of a request, and of all requests together. A question's length is limited by the models' context."""

    body_kb: int = 256  # of a request's body
    rollouts: int = 256  # n_rollouts of a request at most
    trajectories: int = 16  # n_trajectories of a request at most
    candidates: int = 64  # candidates of a request at most
    seconds: float = 300.0  # of a search at most, which then ends with the best so far
    running: int = 64  # requests that are searched at a time
    waiting: int = 256  # requests that wait for their turn; more are told to come again later

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if value < (0 if field.name == "waiting" else 1):
                raise ValueError(f"{field.name}={value} is too small")


class Busy(Exception):
    """As many requests run and wait as may."""


class Gate:
    """Lets `running` in at a time; `waiting` more stand in line, in the order in which they came."""

    def __init__(self, running: int, waiting: int) -> None:
        self._turns = asyncio.Semaphore(running)
        self._most = running + waiting
        self._inside = 0
        self.running = 0

    @property
    def waiting(self) -> int:
        return self._inside - self.running

    @contextlib.contextmanager
    def place(self) -> Iterator[None]:
        """A place inside, where one's turn is waited for. Raises Busy where there is none left."""
        if self._inside >= self._most:
            raise Busy
        self._inside += 1
        try:
            yield
        finally:
            self._inside -= 1

    @contextlib.asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """For who has a place: the block runs when its turn has come."""
        async with self._turns:
            self.running += 1
            try:
                yield
            finally:
                self.running -= 1
