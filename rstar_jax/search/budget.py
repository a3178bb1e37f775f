"""What a search over many problems may cost, and what it has cost so far, over all of its starts."""

from __future__ import annotations

import dataclasses
import pathlib
import time
from collections.abc import Callable

from rstar_jax.files import read_json, write_json

_SECONDS_BETWEEN_WRITES = 10.0


@dataclasses.dataclass(frozen=True)
class Budget:
    """When no further problem is begun; what is under way then is finished. None: no limit.

    Attributes:
      tokens: generated for finished problems.
      hours: on the clock, summed over all starts; of processes that search side by side, each one's.
    """

    tokens: int | None = None
    hours: float | None = None

    def __post_init__(self) -> None:
        if (self.tokens is not None and self.tokens < 1) or (self.hours is not None and self.hours <= 0):
            raise ValueError(f"a budget of {self.tokens} tokens and {self.hours} hours lets nothing be done")

    def divided(self, processes: int) -> Budget:
        """The budget of each of some processes that search side by side."""
        return dataclasses.replace(self, tokens=None if self.tokens is None else -(-self.tokens // processes))


NO_LIMIT = Budget()


class Spent:
    """The ledger of one process. A kill loses its last seconds, and no tokens: those are counted from the trees."""

    def __init__(self, path: pathlib.Path, tokens: int = 0, clock: Callable[[], float] = time.monotonic):
        """path: of the file. tokens: of the problems that are finished already."""
        self.tokens = tokens
        self._path, self._clock = path, clock
        self._before = float(read_json(self._path)["seconds"]) if self._path.exists() else 0.0
        self._started = self._written = clock()

    @property
    def seconds(self) -> float:
        return self._before + self._clock() - self._started

    def add(self, tokens: int) -> None:
        """Problems are finished."""
        self.tokens += tokens
        if self._clock() - self._written >= _SECONDS_BETWEEN_WRITES:
            self.write()

    def write(self) -> None:
        self._written = self._clock()
        write_json(self._path, {"seconds": round(self.seconds, 1), "tokens": self.tokens})

    def reaches(self, budget: Budget) -> bool:
        over_tokens = budget.tokens is not None and self.tokens >= budget.tokens
        return over_tokens or (budget.hours is not None and self.seconds >= 3600 * budget.hours)
