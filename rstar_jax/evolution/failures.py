"""What ended a run before its time, one line each, for `status` to show: a file for each process that had any."""

from __future__ import annotations

import datetime
import os
import pathlib
import platform
import traceback
from collections.abc import Callable
from typing import Any

from rstar_jax.errors import first_leaf
from rstar_jax.files import read_jsonl
from rstar_jax.journal import Journal

FAILURES = "failures"


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


def note_failure(root: pathlib.Path, error: BaseException, now: Callable[[], datetime.datetime] = _now) -> None:
    """Add an exception to the list of a run. Of a group, what its first leaf says."""
    what = traceback.format_exception_only(first_leaf(error))[-1].strip()
    with Journal(root / FAILURES / f"{platform.node()}-{os.getpid()}.jsonl") as journal:
        journal.add({"time": now().isoformat(timespec="seconds"), "what": what})


def read_failures(root: pathlib.Path) -> list[dict[str, Any]]:
    """Of all processes, in the order of time."""
    rows = [row for path in sorted((root / FAILURES).glob("*.jsonl")) for row in read_jsonl(path)]
    return sorted(rows, key=lambda row: row["time"])
