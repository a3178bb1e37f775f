"""A file that grows by a row at a time and survives a kill: what is done is never done again.

A row is one line of JSON, on the disk before `add` returns. A kill in the middle of a line leaves half of one, which
the next start cuts off.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import Any

from rstar_jax.files import AnyPath, iterate_jsonl, local_path


class Journal:
    """For one writer. Rows that are there already are read by `rows`."""

    def __init__(self, path: AnyPath):
        self._path = local_path(path)
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._file = open(self._path, "ab")  # noqa: SIM115 - closed by `close`
        self._file.truncate(self._path.read_bytes().rfind(b"\n") + 1)

    def rows(self) -> Iterator[Any]:
        """All rows, in the order in which they were added. Raises InputError for what is none."""
        return (row for _, row in iterate_jsonl(self._path))

    def add(self, row: Any) -> None:
        self._file.write(json.dumps(row, ensure_ascii=True, allow_nan=False).encode() + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())

    def close(self) -> None:
        self._file.close()

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
