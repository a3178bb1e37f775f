"""What is asked of an engine, and the pieces in which it is done.

A request is one job at first: a trunk that is computed once, and branches behind it. A branch that had to give its
pages away comes back as a job of its own, whose trunk is all that it had.
"""

from __future__ import annotations

import asyncio
import collections
import dataclasses
from typing import Any

import numpy as np

from rstar_jax.inference.config import Sampling
from rstar_jax.inference.sequences import Sequence

Order = tuple[int, int]
"""Who came first: number of the request, number of the branch. Older ones never wait for the pages of younger ones."""
_AFTER_ALL_BRANCHES = 1 << 60


@dataclasses.dataclass(eq=False)
class Request:
    """`count` results are wanted; `future` gets them in the order of their numbers."""

    number: int
    count: int
    future: asyncio.Future
    results: dict[int, Any] = dataclasses.field(default_factory=dict)

    def deliver(self, number: int, result: Any) -> None:
        self.results[number] = result
        if len(self.results) == self.count and not self.future.done():
            self.future.set_result([self.results[number] for number in range(self.count)])


@dataclasses.dataclass(frozen=True)
class Drawing:
    """How the candidates of a request are drawn. limit: tokens at most; fewer than asked where the context ends."""

    prompt: np.ndarray
    sampling: Sampling
    key: int
    limit: int


@dataclasses.dataclass(eq=False)
class Branch:
    """One result on its way: the value of `path` for the PPM, or a completion drawn by `drawing` for the policy."""

    request: Request
    number: int
    path: np.ndarray | None = None
    drawing: Drawing | None = None
    tokens: list[int] = dataclasses.field(default_factory=list)
    logprob: float = 0.0

    @property
    def order(self) -> Order:
        return self.request.number, self.number

    def written(self) -> np.ndarray:
        """Tokens of a candidate that have keys and values: all but the last one, whose successor is drawn next."""
        assert self.drawing is not None
        return np.concatenate([self.drawing.prompt, np.asarray(self.tokens, np.int32)])[:-1].astype(np.int32)


@dataclasses.dataclass(eq=False)
class Job:
    """Branches that wait behind a trunk. `sequence` is there once the job has been started."""

    request: Request
    trunk: np.ndarray
    branches: collections.deque[Branch]
    sequence: Sequence | None = None

    @property
    def order(self) -> Order:
        """After its own branches: what has begun goes first."""
        return self.request.number, _AFTER_ALL_BRANCHES

    @property
    def ready(self) -> bool:
        return self.sequence is not None and self.sequence.complete

    def __lt__(self, other: Job) -> bool:
        return self.first < other.first

    @property
    def first(self) -> Order:
        """Place in the queue."""
        return self.branches[0].order
