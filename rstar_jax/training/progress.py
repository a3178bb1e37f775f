"""How far a training run is: a bar on a terminal, a line now and then elsewhere; only the first process speaks."""

from __future__ import annotations

import sys
import time
from typing import Protocol

import jax
import tqdm

SECONDS_BETWEEN_LINES = 10.0


def note(text: str) -> None:
    """A line of the run's own, on standard error; a bar stays below it."""
    if jax.process_index() == 0:
        tqdm.tqdm.write(text, file=sys.stderr)
        sys.stderr.flush()


class Progress(Protocol):
    """Told of every step, with what is known of it by then."""

    def advance(self, text: str) -> None: ...

    def close(self) -> None: ...


def make_progress(label: str, total: int, done: int) -> Progress:
    """`done`: steps of an earlier start."""
    if jax.process_index() != 0:
        return Silence()
    return (Bar if sys.stderr.isatty() else Lines)(label, total, done)


class Silence:
    """Of all processes but the first."""

    def advance(self, text: str) -> None: ...

    def close(self) -> None: ...


class Bar:
    """On a terminal."""

    def __init__(self, label: str, total: int, done: int) -> None:
        self._bar = tqdm.tqdm(desc=label, total=total, initial=done, unit="step")

    def advance(self, text: str) -> None:
        self._bar.set_postfix_str(text, refresh=False)
        self._bar.update()

    def close(self) -> None:
        self._bar.close()


class Lines:
    """For log files: a line every few seconds and at the end."""

    def __init__(self, label: str, total: int, done: int) -> None:
        self._label, self._total, self._done, self._first = label, total, done, done
        self._started = self._last = time.monotonic()
        self._text, self._shown = "", done

    def advance(self, text: str) -> None:
        self._done, self._text = self._done + 1, text
        if time.monotonic() - self._last >= SECONDS_BETWEEN_LINES:
            self._show()

    def close(self) -> None:
        if self._shown != self._done:
            self._show()

    def _show(self) -> None:
        self._last, self._shown = time.monotonic(), self._done
        seconds = self._last - self._started
        left = seconds / (self._done - self._first) * (self._total - self._done)
        words = f"; {self._text}" if self._text else ""
        note(f"{self._label}: step {self._done}/{self._total}{words}; {seconds:.0f} s, about {left:.0f} s left")
