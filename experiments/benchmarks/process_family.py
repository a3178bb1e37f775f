"""The processes under this one: how many there are, and what memory they hold."""

from __future__ import annotations

import ctypes
import dataclasses
import os
import time
from pathlib import Path

HEADER = f"{'steps':>8}{'steps/s':>9}{'parent MB':>11}{'descriptors':>13}{'processes':>11}{'cells MB':>10}"


@dataclasses.dataclass(frozen=True)
class Sample:
    """What can be seen from outside at one moment."""

    steps: int
    steps_per_s: float
    parent_mb: float
    descriptors: int
    processes: int
    cells_mb: float  # proportional share (PSS) of all descendants; 0 where the kernel does not tell

    @classmethod
    def take(cls, steps: int, steps_per_s: float) -> Sample:
        """Look now."""
        family = descendants()
        cells = sum(_kilobytes(pid, "smaps_rollup", "Pss:") for pid in family) / 1024
        parent = _kilobytes(os.getpid(), "status", "VmRSS:") / 1024
        open_now = len(os.listdir("/proc/self/fd"))
        return cls(steps, round(steps_per_s, 1), round(parent, 1), open_now, len(family), round(cells, 1))

    def __str__(self) -> str:
        return (
            f"{self.steps:8}{self.steps_per_s:9.1f}{self.parent_mb:11.1f}{self.descriptors:13}{self.processes:11}"
            f"{self.cells_mb:10.1f}"
        )


def adopt_orphans() -> None:
    """Become the parent of every descendant whose own parent ends, so that none slips out of sight."""
    if ctypes.CDLL(None).prctl(36, 1, 0, 0, 0) != 0:  # PR_SET_CHILD_SUBREAPER
        raise OSError("this kernel has no subreapers")


def descendants(zombies: bool = False) -> set[int]:
    """Children, their children and so on. Of those that have ended, only if asked."""
    parents = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                state, parent = Path("/proc", entry, "stat").read_text().rpartition(")")[2].split()[:2]
            except (FileNotFoundError, ProcessLookupError):
                continue
            if zombies or state != "Z":
                parents[int(entry)] = int(parent)
    family = {os.getpid()}
    while more := {pid for pid, parent in parents.items() if parent in family} - family:
        family |= more
    return family - {os.getpid()}


def processes_left(seconds: float) -> int:
    """How many descendants there still are when that time is over, or 0 as soon as there are none."""
    deadline = time.monotonic() + seconds
    while (count := len(descendants())) and time.monotonic() < deadline:
        time.sleep(0.05)
    return count


def _kilobytes(pid: int, name: str, field: str) -> int:
    try:
        lines = Path("/proc", str(pid), name).read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith(field))
