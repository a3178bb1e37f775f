"""Notice that the machine is about to be taken away, in time to save."""

from __future__ import annotations

import signal
import threading
import time
from types import FrameType
from typing import Any

import jax
from jax.experimental import multihost_utils


class Preemption:
    """Listens for SIGTERM while it is entered, and puts the former handler back after.

    With several processes JAX's coordination service listens instead, so that all of them stop at the same
    step. Off the main thread nothing can listen; SIGTERM then does what it always does.
    """

    def __init__(self, enabled: bool = True):
        several = jax.process_count() > 1
        self._agree = enabled and several
        self._listen = enabled and not several and threading.current_thread() is threading.main_thread()
        self._noticed: float | None = None
        self._former: Any = None

    def __enter__(self) -> Preemption:
        if self._listen:
            self._former = signal.signal(signal.SIGTERM, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        if self._listen:
            signal.signal(signal.SIGTERM, self._former)

    def reached(self, step: int) -> bool:
        """Whether to save and leave after `step`. Every process must ask after every step."""
        if self._agree and multihost_utils.reached_preemption_sync_point(step):
            self._note()
        return self.noticed

    @property
    def noticed(self) -> bool:
        """Whether SIGTERM has come; with several processes, whether they have stopped for it."""
        return self._noticed is not None

    @property
    def seconds_since(self) -> float:
        """Since SIGTERM came; with several processes, since they agreed to stop."""
        return 0.0 if self._noticed is None else time.monotonic() - self._noticed

    def _note(self, number: int | None = None, frame: FrameType | None = None) -> None:
        if self._noticed is None:
            self._noticed = time.monotonic()
