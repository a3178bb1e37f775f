"""Candidates that are being drawn: rows without gaps, so that a dispatch is as small as their number allows."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from rstar_jax.inference.attention import Items
from rstar_jax.inference.families import Shared, cut
from rstar_jax.inference.jobs import Branch
from rstar_jax.inference.programs import Slots
from rstar_jax.inference.sequences import Sequence


@dataclasses.dataclass(frozen=True)
class DecodeBatch:
    """A dispatch for all shards: R rows of each."""

    slots: Slots
    tables: np.ndarray  # [shards * R, W]
    trunk: np.ndarray  # [shards * R]
    members: tuple[np.ndarray, ...]  # [shards * R, S] for each width S of items

    @property
    def where(self) -> Items:
        return Items(self.tables, self.slots.position, self.trunk, self.members)


class Running:
    """The rows of one shard. Row i is `branches[i]`, in the pages of `sequences[i]`, whose tokens come at the end."""

    def __init__(self, rows: int, columns: int, size: int, block: int):
        self._size, self._block = size, block
        # NumPy's, since the host writes to them; a dispatch makes arrays of its device of them.
        arrays: dict[str, Any] = {
            **{name: np.zeros(rows, np.int32) for name in ("token", "position", "drawn", "limit", "candidate")},
            "key": np.zeros((rows, 2), np.uint32),
            "temperature": np.zeros(rows, np.float32),
            "top_p": np.ones(rows, np.float32),
            "top_k": np.zeros(rows, np.int32),
        }
        self.slots = Slots(**arrays)
        self.tables = np.zeros((rows, columns), np.int32)
        self.trunk = np.zeros(rows, np.int32)  # tokens shared with siblings, in whole blocks
        self.family = np.zeros(rows, np.int64)  # equal for siblings
        self.branches: list[Branch] = []
        self.sequences: list[Sequence] = []
        self._row_of: dict[Branch, int] = {}

    def __len__(self) -> int:
        return len(self.branches)

    def row_of(self, branch: Branch) -> int | None:
        """Rows move when others leave."""
        return self._row_of.get(branch)

    def enter(self, branch: Branch, pages: list[int], trunk: Sequence) -> None:
        """A candidate takes the next row. pages: for its own use, the full ones of the trunk first."""
        drawing, row = branch.drawing, len(self.branches)
        assert drawing is not None
        sampling, drawn = drawing.sampling, len(branch.tokens)
        values = {
            "token": branch.tokens[-1] if branch.tokens else drawing.prompt[-1],
            "position": len(drawing.prompt) + drawn - 1,
            "drawn": drawn,
            "limit": drawing.limit,
            "candidate": branch.number,
            "key": (drawing.key >> 32, drawing.key & 0xFFFFFFFF),
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "top_k": sampling.top_k,
        }
        for name, value in values.items():
            getattr(self.slots, name)[row] = value
        self.tables[row, : len(pages)] = pages
        self.trunk[row], self.family[row] = trunk.beginning(self._size, self._block)
        self._row_of[branch] = row
        self.branches.append(branch)
        self.sequences.append(Sequence(trunk.tokens[:0], pages, 0, trunk.indexed, trunk.digest))

    def leave(self, row: int) -> Sequence:
        """Give up a row, which the last one takes over; its sequence, for the caller to release."""
        sequence, last = self.sequences[row], len(self.branches) - 1
        sequence.tokens = self.branches[row].written()
        for array in (*self.slots, self.tables, self.trunk, self.family):
            array[row] = array[last]
        self._row_of[self.branches[last]] = row
        del self._row_of[self.branches[row]]
        self.branches[row], self.sequences[row] = self.branches[last], self.sequences[last]
        self.branches.pop()
        self.sequences.pop()
        self.slots.limit[last] = self.slots.drawn[last] = 0
        return sequence

    def extend(self, row: int, pages: list[int]) -> None:
        """More pages for a row."""
        have = len(self.sequences[row].pages)
        self.sequences[row].pages.extend(pages)
        self.tables[row, have : have + len(pages)] = pages


def make_batch(shards: list[Running], rows: int, widths: tuple[int, ...]) -> DecodeBatch:
    """The first `rows` rows of each shard; families of siblings cut into the given widths."""

    def of_shards(name: str) -> np.ndarray:
        return np.stack([getattr(shard, name)[:rows] for shard in shards])

    live = np.stack([np.arange(rows) < len(shard) for shard in shards])
    trunk, members = cut(Shared(np.where(live, of_shards("trunk"), 0), of_shards("family")), widths)
    slots = zip(*([array[:rows] for array in shard.slots] for shard in shards), strict=True)
    return DecodeBatch(Slots(*map(np.concatenate, slots)), np.concatenate(of_shards("tables")), trunk, members)
