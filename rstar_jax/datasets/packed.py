"""What training asks of its data, wherever they lie, and how a row is put together.

A row holds segments, one behind the other; a segment is one example (a solution, or the pairs of one prompt) and sees
nobody else. Data in memory (`Packed`) and data on disk (`store.TokenStore`) fill their rows by the same function, so
that both give the same bits.

Shape letters: R rows, L tokens of a row, P pairs of a row; n tokens and p pairs of a segment.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Sequence
from typing import Protocol

import numpy as np
from jaxtyping import Int

_PAIR_MULTIPLE = 32  # P is rounded up to it, so that data of much the same density share a compiled step
_PLACES = ("better", "worse")  # arrays of places: they count from the beginning of what they stand in


class PackedData(Protocol):
    """Rows of one length, ready for training.

    Attributes:
      n_rows: R.
      examples: what the rows hold in the unit that batch sizes are given in (trajectories or preference pairs).
      dropped: examples that were longer than a row.
      fill: share of the tokens that is no padding.
    """

    @property
    def n_rows(self) -> int: ...

    @property
    def examples(self) -> int: ...

    @property
    def dropped(self) -> int: ...

    @property
    def fill(self) -> float: ...

    def fingerprint(self) -> str:
        """Hexadecimal digits that differ wherever the rows do."""
        ...

    def rows(self, indices: Int[np.ndarray, " B"]) -> dict[str, np.ndarray]:
        """Arrays with a leading axis B, at least `tokens`, `positions` and `segments` [B, L]; -1 gives a row of
        zeros, which is all padding."""
        ...


@dataclasses.dataclass(frozen=True)
class Packed:
    """Rows in memory: `arrays` have a leading axis R. The rest is told by `PackedData`."""

    arrays: dict[str, np.ndarray]
    examples: int
    dropped: int

    @property
    def n_rows(self) -> int:
        return len(self.arrays["tokens"])

    @property
    def fill(self) -> float:
        return float((self.arrays["segments"] > 0).mean()) if self.n_rows else 0.0

    def fingerprint(self) -> str:
        digest = hashlib.blake2b(digest_size=16)
        for name, array in sorted(self.arrays.items()):
            digest.update(name.encode())
            digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()

    def rows(self, indices: Int[np.ndarray, " B"]) -> dict[str, np.ndarray]:
        def pick(array: np.ndarray) -> np.ndarray:
            present = (indices >= 0).reshape(-1, *(1,) * (array.ndim - 1))
            return np.where(present, array[indices], 0).astype(array.dtype)

        return {name: pick(array) for name, array in self.arrays.items()}


@dataclasses.dataclass(frozen=True)
class Segment:
    """One example as it will lie in a row.

    Attributes:
      by_token: arrays [n]: `tokens` and what else goes along with them.
      by_pair: arrays [p], of preference pairs only; `better` and `worse` are places in the segment.
    """

    by_token: dict[str, np.ndarray]
    by_pair: dict[str, np.ndarray] = dataclasses.field(default_factory=dict)

    @property
    def length(self) -> int:
        return len(self.by_token["tokens"])

    @property
    def n_pairs(self) -> int:
        return len(self.by_pair["better"]) if self.by_pair else 0

    @property
    def examples(self) -> int:
        """In the unit of batch sizes: pairs, or one solution."""
        return self.n_pairs if self.by_pair else 1


@dataclasses.dataclass(frozen=True)
class Layout:
    """Names and dtypes of the arrays that a kind of segments brings."""

    by_token: dict[str, np.dtype]
    by_pair: dict[str, np.dtype]

    def zeros(self, n_rows: int, length: int, n_pairs: int) -> dict[str, np.ndarray]:
        """Empty rows: arrays [R, L] (`positions` and `segments` too) and [R, P], P rounded up."""
        n_pairs += -n_pairs % _PAIR_MULTIPLE
        whole = np.dtype(np.int32)
        by_token = {"tokens": whole, "positions": whole, "segments": whole} | self.by_token
        rows = {name: np.zeros((n_rows, length), dtype) for name, dtype in by_token.items()}
        return rows | {name: np.zeros((n_rows, n_pairs), dtype) for name, dtype in self.by_pair.items()}


SFT_LAYOUT = Layout({"tokens": np.dtype(np.int32), "loss_mask": np.dtype(np.bool_)}, {})
PAIR_LAYOUT = Layout(
    {"tokens": np.dtype(np.int32), "branches": np.dtype(np.int32)},
    {"better": np.dtype(np.int32), "worse": np.dtype(np.int32), "pair_weights": np.dtype(np.float32)},
)
VALUE_LAYOUT = Layout(
    {"tokens": np.dtype(np.int32), "q": np.dtype(np.float32), "step_weights": np.dtype(np.float32)}, {}
)


def fill_row(row: dict[str, np.ndarray], segments: Sequence[Segment]) -> None:
    """Write segments into one empty row (arrays [L] and [P]), numbered from 1."""
    start, first_pair = 0, 0
    for number, segment in enumerate(segments, start=1):
        here = slice(start, start + segment.length)
        for name, values in segment.by_token.items():
            row[name][here] = values
        row["positions"][here] = _positions(segment)
        row["segments"][here] = number
        pairs = slice(first_pair, first_pair + segment.n_pairs)
        for name, values in segment.by_pair.items():
            row[name][pairs] = values + start if name in _PLACES else values
        start, first_pair = here.stop, pairs.stop


def _positions(segment: Segment) -> np.ndarray:
    """Counted from the beginning; in every branch from the end of the trunk (branch 0)."""
    places = np.arange(segment.length)
    branches = segment.by_token.get("branches")
    if branches is None:
        return places
    begins = np.searchsorted(branches, branches)  # branches lie one behind the other, in rising order
    return places - begins + np.where(branches > 0, np.count_nonzero(branches == 0), 0)
