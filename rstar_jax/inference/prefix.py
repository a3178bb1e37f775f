"""Which prompt prefixes the prefix store holds, by their content. Host-side bookkeeping only."""

from __future__ import annotations

import collections

import numpy as np


class PrefixIndex:
    """Rows of a store, each with the keys and values of one prompt; the least recently used leaves first.

    A prefix is known at multiples of `chunk`, and whole. Every token's keys and values are computed in the
    same place of the same chunk whoever asks, so that a hit changes nothing but the time.
    """

    def __init__(self, rows: int, chunk: int):
        self.chunk = chunk
        self._idle: collections.OrderedDict[int, None] = collections.OrderedDict.fromkeys(range(rows))
        self._users = [0] * rows
        self._keys: list[list[bytes]] = [[] for _ in range(rows)]
        self._row_of: dict[bytes, int] = {}

    def find(self, tokens: np.ndarray) -> tuple[int, int]:
        """(row, length) of the longest known prefix of `tokens`; (0, 0) if there is none."""
        whole = len(tokens) // self.chunk * self.chunk
        for length in (len(tokens), *range(whole, 0, -self.chunk)):
            row = self._row_of.get(tokens[:length].tobytes())
            if row is not None:
                return row, length
        return 0, 0

    def claim(self) -> int | None:
        """A row to fill, in use from now on, its old content forgotten; None if every row is in use."""
        if not self._idle:
            return None
        row = next(iter(self._idle))
        for key in self._keys[row]:
            if self._row_of.get(key) == row:
                del self._row_of[key]
        self._keys[row] = []
        self.hold(row)
        return row

    def hold(self, row: int) -> None:
        """One more user of a row."""
        self._users[row] += 1
        self._idle.pop(row, None)

    def release(self, row: int) -> None:
        """One user less; without users a row may be given away, the one released last at the end."""
        self._users[row] -= 1
        if not self._users[row]:
            self._idle[row] = None

    def touch(self, row: int) -> None:
        """The row was of use just now."""
        if row in self._idle:
            self._idle.move_to_end(row)

    def register(self, row: int, tokens: np.ndarray) -> None:
        """The row now holds `tokens`: known whole and at every full chunk."""
        whole = len(tokens) // self.chunk * self.chunk
        for length in {len(tokens), *range(self.chunk, whole + 1, self.chunk)} - {0}:
            key = tokens[:length].tobytes()
            if key not in self._row_of:
                self._row_of[key] = row
                self._keys[row].append(key)
