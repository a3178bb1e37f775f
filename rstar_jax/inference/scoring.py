"""Scores of branches behind a shared trunk: one forward pass, in which siblings do not see each other."""

from __future__ import annotations

import asyncio
import collections
import dataclasses
import functools
import time
from collections.abc import Sequence

import jax
import numpy as np
from jax.sharding import Mesh
from jaxtyping import Array, Float, Int

from rstar_jax.inference.config import OverlongError, ScoringConfig
from rstar_jax.inference.layout import over_batch
from rstar_jax.inference.programs import cache_size
from rstar_jax.inference.worker import Worker
from rstar_jax.models.attention import packed_mask
from rstar_jax.models.config import ModelConfig
from rstar_jax.models.decoder import Params, hidden_states, logical_axes, values
from rstar_jax.models.sharding import shardings

Tokens = Sequence[int]


@dataclasses.dataclass(frozen=True)
class Batch:
    """R rows of L tokens, at most E branches each; `ends` are the places of the branches' last tokens."""

    tokens: np.ndarray  # [R, L]
    positions: np.ndarray  # [R, L]
    branches: np.ndarray  # [R, L], 0 the trunk, -1 padding
    ends: np.ndarray  # [R, E]

    @classmethod
    def empty(cls, rows: int, length: int, branches: int) -> Batch:
        tokens = np.zeros((rows, length), np.int32)
        return cls(tokens, np.zeros_like(tokens), np.full_like(tokens, -1), np.zeros((rows, branches), np.int32))

    def fill(self, row: int, trunk: Tokens, branches: Sequence[Tokens]) -> None:
        """Lay a trunk and its branches side by side; each branch's positions continue the trunk's."""
        end = 0
        for number, part in enumerate((trunk, *branches)):
            start, end = end, end + len(part)
            self.tokens[row, start:end] = part
            self.positions[row, start:end] = np.arange(len(part)) + (len(trunk) if number else 0)
            self.branches[row, start:end] = number
            if number:
                self.ends[row, number - 1] = end - 1


def score(
    config: ModelConfig,
    params: Params,
    tokens: Int[Array, "R L"],
    positions: Int[Array, "R L"],
    branches: Int[Array, "R L"],
    ends: Int[Array, "R E"],
) -> Float[Array, "R E"]:
    """The raw value at each branch's last token."""
    tokens, positions, branches, ends = over_batch((tokens, positions, branches, ends))
    segments = (branches >= 0).astype(tokens.dtype)
    hidden = hidden_states(config, params, tokens, positions, packed_mask(positions, segments, branches))
    return values(params, jax.vmap(lambda row, at: row[at])(hidden, ends))


def pack(config: ScoringConfig, trunk: int, branches: Sequence[int]) -> list[tuple[int, range]]:
    """Rows for a trunk and branches of the given lengths: (row length, branches in it), in order.

    Depends on nothing but these lengths, so that a score never depends on what else is scored.

    Raises:
      OverlongError: the trunk and one branch do not fit in the longest row.
    """
    rows, start, total = [], 0, trunk
    for index, length in enumerate(branches):
        if trunk + length > config.lengths[-1]:
            raise OverlongError(f"{trunk} + {length} tokens exceed the longest row, {config.lengths[-1]}")
        if total + length > config.lengths[-1] or index - start == config.branches:
            rows.append((total, range(start, index)))
            start, total = index, trunk
        total += length
    rows.append((total, range(start, len(branches))))
    return [(next(x for x in config.lengths if x >= total), members) for total, members in rows]


@dataclasses.dataclass(eq=False)
class Row:
    """One row that waits for its dispatch."""

    trunk: Tokens
    branches: Sequence[Tokens]
    future: asyncio.Future


class ScoringEngine(Worker):
    """The PPM. Use as `async with ScoringEngine(...) as engine:`; any number of coroutines may call it."""

    def __init__(self, config: ModelConfig, params: Params, scoring_config: ScoringConfig, mesh: Mesh):
        super().__init__(mesh)
        self.config = config
        self.scoring_config = scoring_config
        self._program = jax.jit(functools.partial(score, config))
        self._clear()
        self.load(params)

    def load(self, params: Params) -> None:
        """Swap the weights; nothing is compiled anew. Dispatches that have not begun use the new ones."""
        self._params = jax.device_put(params, shardings(logical_axes(self.config, "value"), self.mesh))

    async def score(self, prompt: Tokens, branches: Sequence[Tokens]) -> list[float]:
        """The raw value at the last token of each branch behind the prompt, as if each branch stood alone.

        Raises:
          ValueError: an empty branch, or a token outside the vocabulary.
          OverlongError: a branch with its prompt is longer than the longest row.
          RuntimeError: the engine does not run or has failed; the cause is attached.
        """
        if not branches:
            return []
        flat = np.concatenate([np.asarray(part, np.int64) for part in (prompt, *branches)])
        if not all(len(branch) for branch in branches):
            raise ValueError("a branch is empty")
        if flat.min() < 0 or flat.max() >= self.config.vocab_size:
            raise ValueError("a token is outside the vocabulary")
        futures = []
        for length, members in pack(self.scoring_config, len(prompt), [len(branch) for branch in branches]):
            futures.append(self._promise())
            self._waiting[length].append(Row(prompt, [branches[i] for i in members], futures[-1]))
            self.metrics.waiting += 1
        return [value for row in await asyncio.gather(*futures) for value in row]

    @property
    def compilations(self) -> int:
        """Programs compiled so far; never more than `scoring_config.compiled_shapes`."""
        return cache_size(self._program)

    def warm_up(self) -> dict[str, float]:
        """Compile every program; seconds by program."""
        seconds = {}
        for length in self.scoring_config.lengths:
            start = time.perf_counter()
            with jax.set_mesh(self.mesh):
                self._compute((length, [], self._empty(length)))
            seconds[f"score {length}"] = time.perf_counter() - start
        return seconds

    def _empty(self, length: int) -> Batch:
        return Batch.empty(self.scoring_config.rows(length), length, self.scoring_config.branches)

    def _clear(self) -> None:
        self._waiting: dict[int, collections.deque[Row]] = {
            length: collections.deque() for length in self.scoring_config.lengths
        }
        self._turns = dict.fromkeys(self.scoring_config.lengths, 0)
        self.metrics.waiting = 0

    def _plan(self) -> tuple[int, list[Row], Batch] | None:
        waiting = [length for length, rows in self._waiting.items() if rows]
        if not waiting:
            return None
        for length in waiting:
            self._turns[length] += 1
        length = max(waiting, key=self._urgency)
        self._turns[length] = 0
        queue, size = self._waiting[length], self.scoring_config.rows(length)
        rows = [queue.popleft() for _ in range(min(size, len(queue)))]
        batch = self._empty(length)
        for index, row in enumerate(rows):
            batch.fill(index, row.trunk, row.branches)
        self.metrics.waiting -= len(rows)
        self.metrics.scored += int((batch.branches >= 0).sum())
        return length, rows, batch

    def _urgency(self, length: int) -> float:
        """Full batches go first, and those that waited long."""
        size = self.scoring_config.rows(length)
        return self._turns[length] * min(size, len(self._waiting[length])) / size

    def _compute(self, plan: tuple[int, list[Row], Batch]) -> np.ndarray:
        batch = plan[2]
        return jax.device_get(self._program(self._params, batch.tokens, batch.positions, batch.branches, batch.ends))

    def _absorb(self, plan: tuple[int, list[Row], Batch], result: np.ndarray) -> None:
        for index, row in enumerate(plan[1]):
            if not row.future.done():
                row.future.set_result([float(x) for x in result[index, : len(row.branches)]])
