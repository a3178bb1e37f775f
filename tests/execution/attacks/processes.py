"""Which processes descend from this one, and what they are doing."""

from __future__ import annotations

import ctypes
import dataclasses
import os
import time
from collections.abc import Callable
from pathlib import Path


@dataclasses.dataclass(frozen=True)
class Process:
    """One line of the process table."""

    pid: int
    parent: int
    name: str
    command: str
    ticks: int  # CPU time so far, in hundredths of a second


def adopt_orphans() -> None:
    """A process whose parent has died becomes a child of this one, so that none can slip away."""
    if ctypes.CDLL(None).prctl(36, 1, 0, 0, 0) != 0:  # PR_SET_CHILD_SUBREAPER
        raise OSError("no subreaper")


def everyone() -> dict[int, Process]:
    """All processes but zombies."""
    found = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                head, _, tail = Path("/proc", entry, "stat").read_text(errors="replace").rpartition(")")
                command = Path("/proc", entry, "cmdline").read_text(errors="replace")
            except (FileNotFoundError, ProcessLookupError):
                continue
            fields = tail.split()
            if fields[0] != "Z":
                ticks = int(fields[11]) + int(fields[12])
                found[int(entry)] = Process(int(entry), int(fields[1]), head.partition("(")[2], command, ticks)
    return found


def descendants() -> list[Process]:
    """The family of this process, itself not included."""
    table, family = everyone(), {os.getpid()}
    while more := {p.pid for p in table.values() if p.parent in family} - family:
        family |= more
    return [table[pid] for pid in family if pid in table and pid != os.getpid()]


def marked(marker: str) -> list[str]:
    """Processes that carry the marker in their name or command line."""
    return [p.command or p.name for p in everyone().values() if marker in p.name or marker in p.command]


def burning(seconds: float = 0.3) -> list[str]:
    """Descendants that use more than a fifth of a core."""
    before = {p.pid: p.ticks for p in descendants()}
    time.sleep(seconds)
    return [p.name for p in descendants() if p.ticks - before.get(p.pid, 0) > 20 * seconds]


def settle(look: Callable[[], list], seconds: float) -> list:
    """What `look` finds, once it finds nothing or the time is over."""
    deadline = time.monotonic() + seconds
    while (found := look()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return found
