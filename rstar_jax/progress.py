"""How far a loop is: a bar with rate and time left on a terminal, a line now and then in a log file.

Searches and training have their own, which say more (`search.progress`, `training.progress`).
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TextIO, TypeVar

import tqdm

T = TypeVar("T")
SECONDS_BETWEEN_LINES = 10.0
Clock = Callable[[], float]


class Track:
    """Told of every few finished units; use it as a context. total: None if nobody knows.

    What is over within `SECONDS_BETWEEN_LINES` leaves no line in a log file.
    """

    def __init__(
        self,
        label: str,
        unit: str,
        total: int | None = None,
        stream: TextIO | None = None,
        clock: Clock = time.monotonic,
    ) -> None:
        self._label, self._unit, self._total, self._clock = label, unit, total, clock
        self._stream = stream or sys.stderr
        self._started = self._last = clock()
        self._done = self._shown = 0
        terminal = self._stream.isatty()
        self._bar = tqdm.tqdm(desc=label, unit=f" {unit}", total=total, file=self._stream) if terminal else None

    def __enter__(self) -> Track:
        return self

    def __exit__(self, *error: object) -> None:
        if self._bar is not None:
            self._bar.close()
        elif self._shown and self._shown != self._done:
            self._show()

    def advance(self, count: int = 1) -> None:
        self._done += count
        if self._bar is not None:
            self._bar.update(count)
        elif self._clock() - self._last >= SECONDS_BETWEEN_LINES:
            self._show()

    def _show(self) -> None:
        self._last, self._shown = self._clock(), self._done
        seconds = self._last - self._started
        of = "" if self._total is None else f"/{self._total:,}"
        words = f"{self._label}: {self._done:,}{of} {self._unit}; {seconds:.0f} s, {self._done / seconds:.3g}/s"
        if self._total is not None and 0 < self._done < self._total:
            words += f", about {seconds / self._done * (self._total - self._done):.0f} s left"
        print(words, file=self._stream, flush=True)


def tracked(items: Iterable[T], label: str, unit: str, total: int | None = None) -> Iterator[T]:
    """The items; each counts when the next is asked for."""
    with Track(label, unit, total) as track:
        for item in items:
            yield item
            track.advance()
