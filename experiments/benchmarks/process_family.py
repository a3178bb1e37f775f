"""The processes under this one: how many there are, and what memory they hold."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import time
from collections.abc import Iterable

import psutil

from rstar_jax.execution.cell.memory import proportional_bytes

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
        cells = sum(proportional_bytes(process.pid) or 0 for process in family) / 1e6
        parent = psutil.Process().memory_info().rss / 1e6
        open_now = len(os.listdir("/proc/self/fd"))
        return cls(steps, round(steps_per_s, 1), round(parent, 1), open_now, len(family), round(cells, 1))

    def __str__(self) -> str:
        return (
            f"{self.steps:8}{self.steps_per_s:9.1f}{self.parent_mb:11.1f}{self.descriptors:13}{self.processes:11}"
            f"{self.cells_mb:10.1f}"
        )


def below(pids: Iterable[int]) -> list[psutil.Process]:
    """Children of processes, their children and so on, those that have ended included."""
    return [process for pid in pids for process in psutil.Process(pid).children(recursive=True)]


def descendants() -> list[psutil.Process]:
    """Those below this process, zombies included."""
    return below([os.getpid()])


def processes_left(seconds: float) -> int:
    """How many descendants there still are when that time is over, or 0 as soon as there are none."""
    deadline = time.monotonic() + seconds
    while (count := _reaped_and_left()) and time.monotonic() < deadline:
        time.sleep(0.1)
    return count


def _reaped_and_left() -> int:
    """Do what an init does for orphans that have ended: bubblewrap leaves one for each cell. Then count the others."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    return len(descendants())
