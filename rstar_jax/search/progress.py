"""How far a run over many problems is: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Protocol

from tqdm import tqdm

SECONDS_BETWEEN_LINES = 10.0
Status = Callable[[], str]
"""What else there is to say: rates of the engines since the last call, say."""


def say(text: str) -> None:
    """A line of the run's own, at once."""
    print(text, flush=True)


class Progress(Protocol):
    """Told of every finished problem, and of those that an earlier run has finished (`skip`).

    solved, tokens: what a search has found; 0 of what finds nothing, as an evaluation.
    """

    def skip(self, count: int) -> None: ...

    def advance(self, solved: int, tokens: int, problems: int = 1) -> None: ...

    def close(self) -> None: ...


def make_progress(total: int, done: int = 0, label: str = "search", status: Status | None = None) -> Progress:
    """A bar if standard error is a terminal, else plain lines on it. `done`: finished in an earlier run."""
    return (Bar if sys.stderr.isatty() else Lines)(total, done, label, status)


class Bar:
    """A tqdm bar; what there is to say besides stands on a line below it."""

    def __init__(self, total: int, done: int, label: str, status: Status | None) -> None:
        self._bar = tqdm(total=total, initial=done, desc=label, unit="problem")
        self._below = tqdm(bar_format="{desc}", position=1, leave=False) if status else None
        self._status, self._last = status, time.monotonic()
        self._solved = 0
        self._tokens = 0

    def skip(self, count: int) -> None:
        self._bar.initial += count
        self._bar.n += count
        self._bar.refresh()

    def advance(self, solved: int, tokens: int, problems: int = 1) -> None:
        self._solved += solved
        self._tokens += tokens
        if self._tokens:
            self._bar.set_postfix(solved=self._solved, tokens=self._tokens, refresh=False)
        self._bar.update(problems)
        if self._status and self._below is not None and time.monotonic() - self._last >= 1.0:
            self._last = time.monotonic()
            self._below.set_description_str(self._status())

    def close(self) -> None:
        if self._below is not None:
            self._below.close()
        self._bar.close()


class Lines:
    """A line every few seconds and at the end, for log files."""

    def __init__(self, total: int, done: int, label: str, status: Status | None) -> None:
        self._total, self._done, self._label, self._status = total, done, label, status
        self._solved = 0
        self._tokens = 0
        self._new = 0  # problems of this start
        self._started = self._last = time.monotonic()
        self._shown = -1

    def skip(self, count: int) -> None:
        self._done += count

    def advance(self, solved: int, tokens: int, problems: int = 1) -> None:
        self._done += problems
        self._new += problems
        self._solved += solved
        self._tokens += tokens
        if time.monotonic() - self._last >= SECONDS_BETWEEN_LINES:
            self._show()

    def close(self) -> None:
        if self._shown != self._done:
            self._show()

    def _show(self) -> None:
        self._last = time.monotonic()
        self._shown = self._done
        seconds = self._last - self._started
        parts = [f"{self._label}: {self._done}/{self._total} problems"]
        if self._tokens:  # an evaluation does not say what it found
            parts.append(f"in this run {self._solved} solved, {self._tokens} tokens")
        parts.append(f"{seconds:.0f} s")
        if self._new and self._done < self._total:
            left = seconds / self._new * (self._total - self._done)
            parts[-1] += f", {60 * self._new / max(seconds, 1e-9):.3g} a minute, about {left:.0f} s left"
        if self._status and (words := self._status()):
            parts.append(words)
        print("; ".join(parts), file=sys.stderr, flush=True)
