"""What engines have done, in words for a progress line and in numbers for a file."""

from __future__ import annotations

import copy
import dataclasses
import time
from collections.abc import Callable, Mapping

from rstar_jax.inference.config import Metrics


class Meter:
    """Reads the metrics of some engines by name; a total is what was done since the meter was made."""

    def __init__(self, metrics: Mapping[str, Metrics], clock: Callable[[], float] = time.monotonic):
        self._metrics = metrics
        self._clock = clock
        self._start = self._last = copy.deepcopy(dict(metrics))
        self._started = self._time = clock()

    def __call__(self) -> str:
        """Rates since the last call, and queue and pool now."""
        now, before, self._last = self._clock(), self._last, copy.deepcopy(dict(self._metrics))
        seconds, self._time = now - self._time, now
        return "; ".join(f"{name}: {found.rates(before[name], seconds)}" for name, found in self._last.items())

    def totals(self) -> dict[str, float]:
        """Tokens, dispatches and seconds in the device, as `name_field`, and the seconds on the clock."""
        totals: dict[str, float] = {"seconds": self._clock() - self._started}
        for name, found in self._metrics.items():
            for field in dataclasses.fields(found):
                if field.name not in Metrics.NOW:
                    value = getattr(found, field.name) - getattr(self._start[name], field.name)
                    totals[f"{name}_{field.name}"] = value
        return totals
