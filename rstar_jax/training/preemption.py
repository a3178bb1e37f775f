"""Notice that the machine is about to be taken away, in time to save."""

from __future__ import annotations

import signal
import threading
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
        self._signalled = False
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
        return multihost_utils.reached_preemption_sync_point(step) if self._agree else self._signalled

    def _note(self, number: int, frame: FrameType | None) -> None:
        self._signalled = True
