"""The cache of paused processes: content-addressed by the steps that led to them, least recently used first out."""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Collection, Iterator
from typing import Generic, TypeVar

Key = tuple[str, tuple[str, ...]]  # tier and steps
Value = TypeVar("Value")


@dataclasses.dataclass
class _Entry(Generic[Value]):
    value: Value
    size: int


class Snapshots(Generic[Value]):
    """At most `count` values of at most `size` bytes together. It holds them; ending processes is for others."""

    def __init__(self, count: int, size: int) -> None:
        self._count = count
        self._size = size
        self._entries: collections.OrderedDict[Key, _Entry[Value]] = collections.OrderedDict()
        self.bytes = 0

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: Key) -> Value | None:
        """The value, which becomes the most recently used."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        self._entries.move_to_end(key)
        return entry.value

    def put(self, key: Key, value: Value, size: int) -> Value | None:
        """Store a value as the most recently used; what it replaces."""
        old = self.pop(key)
        self._entries[key] = _Entry(value, size)
        self.bytes += size
        return old

    def pop(self, key: Key) -> Value | None:
        entry = self._entries.pop(key, None)
        if entry is None:
            return None
        self.bytes -= entry.size
        return entry.value

    def ancestors(self, key: Key) -> Iterator[Key]:
        """Keys of what is stored for the key itself and for its beginnings, deepest first."""
        tier, steps = key
        for length in range(len(steps), 0, -1):
            if (tier, steps[:length]) in self._entries:
                yield tier, steps[:length]

    def evict(self, pinned: Collection[Key] = (), count: int | None = None) -> list[Value]:
        """Take out the least recently used, except pinned ones, until the rest is within the limits.

        `count` stands in for the limit on their number.
        """
        most = self._count if count is None else count
        out: list[Value] = []
        while len(self._entries) > most or self.bytes > self._size:
            key = next((key for key in self._entries if key not in pinned), None)
            if key is None:
                break
            value = self.pop(key)
            assert value is not None
            out.append(value)
        return out
