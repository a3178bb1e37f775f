"""What a search over many problems may cost, and what it has cost so far, over all of its starts."""

from __future__ import annotations

import dataclasses
import pathlib
import time
from collections.abc import Callable, Iterator
from typing import Any

from rstar_jax.files import read_json, write_json

LEDGERS = "spent"
_SECONDS_BETWEEN_WRITES = 10.0


@dataclasses.dataclass(frozen=True)
class Budget:
    """When no further problem is begun; what is under way then is finished. None: no limit.

    Attributes:
      tokens: generated for finished problems.
      hours: on the clock, over all starts; processes that search side by side count once.
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
    """The ledger of one process in the folder of a search. A kill loses its last seconds, and no tokens: those are
    counted from the trees. Hours are those of whoever has searched longest, so it may change who searches."""

    def __init__(
        self,
        folder: pathlib.Path,
        name: str,
        budget: Budget = NO_LIMIT,
        *,
        tokens: int = 0,
        processes: int = 1,
        clock: Callable[[], float] = time.monotonic,
    ):
        """budget: of all `processes` together. tokens: of this one's problems that are finished already."""
        self.tokens = tokens
        self._budget, self._own, self._clock = budget, budget.divided(processes), clock
        self._path = folder / LEDGERS / f"{name}.json"
        self._before = max((float(ledger["seconds"]) for ledger in _ledgers(folder)), default=0.0)
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
        """With the budget, if it has stopped this process."""
        self._written = self._clock()
        row: dict[str, Any] = {"seconds": round(self.seconds, 1), "tokens": self.tokens}
        write_json(self._path, row | ({"stopped_by": dataclasses.asdict(self._budget)} if self.is_spent() else {}))

    def is_spent(self) -> bool:
        budget = self._own
        over_tokens = budget.tokens is not None and self.tokens >= budget.tokens
        return over_tokens or (budget.hours is not None and self.seconds >= 3600 * budget.hours)


def stopped_by(folder: pathlib.Path) -> list[Budget]:
    """Budgets that have stopped a process of the search in the folder."""
    return [Budget(**ledger["stopped_by"]) for ledger in _ledgers(folder) if "stopped_by" in ledger]


def _ledgers(folder: pathlib.Path) -> Iterator[dict[str, Any]]:
    return map(read_json, sorted((folder / LEDGERS).glob("*.json")))
