"""Thoughts under way, for who waits: a live view on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from collections.abc import AsyncIterator, Callable, Sequence
from typing import IO, Protocol

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from rstar_jax.thinking.thought import Clock, Thought
from rstar_jax.thinking.words import progress, short

Say = Callable[[str], None]
"""Tells who waits how far something is."""
SECONDS_BETWEEN_LOOKS = 0.25
SECONDS_BETWEEN_LINES = 5.0


def note(text: str) -> None:
    """A line for who waits; standard output is for answers."""
    print(text, file=sys.stderr, flush=True)


class View(Protocol):
    """Is shown the thoughts under way, again and again."""

    seconds: float  # between two looks

    def show(self, thoughts: Sequence[Thought], now: float) -> None: ...

    def clear(self) -> None:
        """Make room for what somebody else prints; the next look draws anew."""
        ...

    def close(self) -> None: ...


class Nothing:
    """For who does not want to see anything."""

    seconds = SECONDS_BETWEEN_LINES

    def show(self, thoughts: Sequence[Thought], now: float) -> None:
        pass

    def clear(self) -> None:
        pass

    def close(self) -> None:
        pass


class Screen:
    """Each thought's question and progress, in place; they vanish when they are done."""

    seconds = SECONDS_BETWEEN_LOOKS

    def __init__(self, file: IO[str]):
        # Redrawn by `show` alone: a thread of its own would read trees while they change. What others print is theirs.
        console = Console(file=file)
        self._live = Live(
            console=console, auto_refresh=False, transient=True, redirect_stdout=False, redirect_stderr=False
        )
        self._live.start()

    def show(self, thoughts: Sequence[Thought], now: float) -> None:
        blocks = [
            Text.assemble((short(one.problem.question), "bold"), "\n  ", _progress(one, now)) for one in thoughts
        ]
        self._live.update(Group(*blocks), refresh=True)

    def clear(self) -> None:
        self._live.update(Group(), refresh=True)

    def close(self) -> None:
        self._live.stop()


class Lines:
    """A line for each thought every few seconds."""

    seconds = SECONDS_BETWEEN_LINES

    def __init__(self, file: IO[str]):
        self._file = file

    def show(self, thoughts: Sequence[Thought], now: float) -> None:
        for one in thoughts:
            print(f"{short(one.problem.question)}: {_progress(one, now)}", file=self._file, flush=True)

    def clear(self) -> None:
        pass

    def close(self) -> None:
        pass


def make_view(file: IO[str]) -> View:
    return Screen(file) if file.isatty() else Lines(file)


@contextlib.asynccontextmanager
async def shown(thoughts: Sequence[Thought], view: View, clock: Clock = time.monotonic) -> AsyncIterator[None]:
    """As long as the block lasts, whatever thoughts the sequence holds at the moment are shown."""

    async def look() -> None:
        while True:
            await asyncio.sleep(view.seconds)
            view.show(thoughts, clock())

    looking = asyncio.create_task(look())
    try:
        yield
    finally:
        looking.cancel()
        await asyncio.wait([looking])
        view.close()
    if not looking.cancelled():
        looking.result()


def _progress(thought: Thought, now: float) -> str:
    return progress(thought, thought.outcome(), now - (thought.started if thought.started is not None else now))
