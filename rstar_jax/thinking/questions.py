"""Where questions come from: the command line, a file, or standard input, whose questions are not all there yet."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Sequence
from typing import IO

from rstar_jax.errors import InputError

STDIN = "-"


async def given(questions: Sequence[str]) -> AsyncIterator[str]:
    """Questions that are all there."""
    for question in questions:
        yield question


async def from_lines(file: IO[str], name: str = "standard input") -> AsyncIterator[str]:
    """A question a line, as soon as the line is there: plain, or as JSON, a text or {"question": …}.

    Raises InputError with the line: JSON without a question.
    """
    loop, lines = asyncio.get_running_loop(), asyncio.Queue[str | None]()

    def read() -> None:
        try:
            for line in file:
                loop.call_soon_threadsafe(lines.put_nowait, line)
            loop.call_soon_threadsafe(lines.put_nowait, None)
        except RuntimeError:  # the loop has been closed meanwhile: nobody listens any more
            pass

    # A thread that nobody waits for at the end: it cannot be interrupted while it reads.
    threading.Thread(target=read, daemon=True, name="questions").start()
    number = 0
    while (line := await lines.get()) is not None:
        number += 1
        if line.strip():
            yield _question(line.strip(), f"{name}, line {number}")


def _question(line: str, place: str) -> str:
    if not line.startswith(("{", '"')):
        return line
    try:
        value = json.loads(line)
    except json.JSONDecodeError:
        return line  # questions may begin with a brace or a quotation mark
    found = value.get("question", value.get("problem")) if isinstance(value, dict) else value
    if not isinstance(found, str) or not found.strip():
        raise InputError(f'{place}: no "question" in it')
    return found
