"""Sequences whose tokens have to go through the model, laid side by side into dispatches of fixed size."""

from __future__ import annotations

import collections
import dataclasses

import numpy as np

from rstar_jax.inference.attention import Items
from rstar_jax.inference.config import EngineConfig
from rstar_jax.inference.families import Shared, cut
from rstar_jax.inference.jobs import Branch, Job
from rstar_jax.inference.pages import PageTable
from rstar_jax.inference.sequences import Beginning, Sequence, advance


@dataclasses.dataclass(eq=False)
class TrunkFill:
    """The trunk of a job under way."""

    sequence: Sequence
    job: Job


@dataclasses.dataclass(eq=False)
class PathFill:
    """A path under way, whose last token is to be valued. begins_with: as its siblings do."""

    sequence: Sequence
    job: Job
    branch: Branch
    begins_with: Beginning


Fill = TrunkFill | PathFill


@dataclasses.dataclass(frozen=True)
class ExtendBatch:
    """A dispatch for all shards; `ends` are the branches whose values it gives, with the rows of their last tokens."""

    tokens: np.ndarray  # [shards * R]
    positions: np.ndarray  # [shards * R], -1: padding
    tables: np.ndarray  # [shards * I, W]
    shared: Shared  # [shards, I]
    widths: tuple[int, ...]  # of the parts that families are cut into
    ends: list[tuple[Branch, int]]

    @property
    def where(self) -> Items:
        return Items(self.tables, self.positions, *cut(self.shared, self.widths))

    @classmethod
    def empty(cls, shards: int, rows: int, config: EngineConfig) -> ExtendBatch:
        tokens, items = np.zeros(shards * rows, np.int32), rows // config.item
        shared = Shared(np.zeros((shards, items), np.int32), np.zeros((shards, items), np.int64))
        tables = np.zeros((shards * items, config.columns), np.int32)
        return cls(tokens, np.full_like(tokens, -1), tables, shared, config.widths, [])


class Filling:
    """What one shard has to fill, in the order in which it was begun."""

    def __init__(self, table: PageTable, config: EngineConfig):
        self._table = table
        self._item, self._sizes = config.item, (config.page_size, config.block)
        self._queue: collections.deque[Fill] = collections.deque()

    def __len__(self) -> int:
        return len(self._queue)

    def add(self, fill: Fill) -> None:
        self._queue.append(fill)

    def rows(self) -> int:
        """Rows that all of it would take."""
        return sum(-(-(len(f.sequence.tokens) - f.sequence.filled) // self._item) * self._item for f in self._queue)

    def paths(self) -> list[PathFill]:
        return [fill for fill in self._queue if isinstance(fill, PathFill)]

    def drop(self, dropped: Fill) -> None:
        self._queue = collections.deque(fill for fill in self._queue if fill is not dropped)

    def drop_trunk(self, job: Job) -> None:
        for fill in [fill for fill in self._queue if isinstance(fill, TrunkFill) and fill.job is job]:
            self.drop(fill)

    def lay(self, batch: ExtendBatch, shard: int, shards: int) -> tuple[list[Fill], int]:
        """Put as much as fits into a shard's part of a batch; what is complete by it, and the number of tokens."""
        item, laid = self._item, 0
        rows, items = len(batch.tokens) // shards, len(batch.tables) // shards
        finished, used = [], 0
        while self._queue and used < items:
            fill = self._queue[0]
            sequence = fill.sequence
            count = min(len(sequence.tokens) - sequence.filled, (items - used) * item)
            start = shard * rows + used * item
            batch.tokens[start : start + count] = sequence.tokens[sequence.filled : sequence.filled + count]
            batch.positions[start : start + count] = np.arange(sequence.filled, sequence.filled + count)
            taken = -(-count // item)
            first = shard * items + used
            batch.tables[first : first + taken, : len(sequence.pages)] = sequence.pages
            # The tokens of a trunk are a family of their own: all of them see what was there before.
            known = fill.begins_with if isinstance(fill, PathFill) else sequence.beginning(*self._sizes)
            batch.shared.trunk[shard, used : used + taken] = known.length
            batch.shared.family[shard, used : used + taken] = known.family
            advance(self._table, sequence, sequence.filled + count)
            used, laid = used + taken, laid + count
            if sequence.complete:
                self._queue.popleft()
                finished.append(fill)
                if isinstance(fill, PathFill):
                    batch.ends.append((fill.branch, start + count - 1))
        return finished, laid
