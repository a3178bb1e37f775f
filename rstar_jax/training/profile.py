"""A profile of a few steps, for xprof and TensorBoard's profile page."""

from __future__ import annotations

from typing import Any

import jax
from etils import epath

from rstar_jax.training.optimizer import TrainConfig


class Profile:
    """Traces the steps `profile_step` and the next ones, `profile_steps` in all. Use as a context manager.

    A run that is continued behind the first of them traces nothing. The files lie in `workdir/profile`.
    """

    def __init__(self, config: TrainConfig, workdir: epath.Path):
        self._first, self._folder = config.profile_step, workdir / "profile"
        self._last = None if config.profile_step is None else config.profile_step + config.profile_steps - 1
        self._tracing = False

    def __enter__(self) -> Profile:
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()

    def begin(self, step: int) -> None:
        """Before `step` (from 1) is dispatched."""
        if step == self._first:
            jax.profiler.start_trace(str(self._folder))
            self._tracing = True

    def end(self, step: int, result: Any) -> None:
        """After it: the last step of a trace is waited for, so that it is in it."""
        if self._tracing and step == self._last:
            jax.block_until_ready(result)
            self._stop()

    def _stop(self) -> None:
        if self._tracing:
            self._tracing = False
            jax.profiler.stop_trace()
