"""Who is served next: problems in turn, and each by the cell that has its states, if that is free."""

from __future__ import annotations

import collections
from typing import Generic, TypeVar

Item = TypeVar("Item")


class FairQueue(Generic[Item]):
    """First come, first served within a problem; problems take turns."""

    def __init__(self) -> None:
        self._lines: collections.OrderedDict[str, collections.deque[Item]] = collections.OrderedDict()
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def put(self, problem: str, item: Item) -> None:
        self._lines.setdefault(problem, collections.deque()).append(item)
        self._size += 1

    def front(self) -> Item:
        """What `get` would return. Raises StopIteration when empty."""
        return next(iter(self._lines.values()))[0]

    def get(self) -> Item:
        """The next item, of the problem whose turn is the longest ago. Raises StopIteration when empty."""
        problem, line = next(iter(self._lines.items()))
        item = line.popleft()
        self._size -= 1
        del self._lines[problem]
        if line:
            self._lines[problem] = line  # to the end
        return item


class Homes:
    """Which cell has run which history last: a bounded memory, the oldest forgotten first."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._cells: collections.OrderedDict[tuple[str, ...], int] = collections.OrderedDict()

    def find(self, history: tuple[str, ...]) -> int | None:
        """The cell of the history, or else of its longest known beginning."""
        for length in range(len(history), 0, -1):
            cell = self._cells.get(history[:length])
            if cell is not None:
                return cell
        return None

    def settle(self, history: tuple[str, ...], cell: int) -> None:
        self._cells[history] = cell
        self._cells.move_to_end(history)
        if len(self._cells) > self._size:
            self._cells.popitem(last=False)
