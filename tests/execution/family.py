"""Processes as the machine sees them: those of a cell, those below this one, those that carry a mark."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable

import psutil

CELL_FIELDS = ["pid", "ppid", "status", "name"]


def all_processes() -> dict[int, dict]:
    """Parent, status and name of each process, zombies included, by pid."""
    return {process.pid: process.info for process in psutil.process_iter(CELL_FIELDS)}


def supervisor_of(cell: int) -> int:
    """The cell's process itself, which with namespaces is a grandchild of the one that was started."""
    process = psutil.Process(cell)
    while process.name() == "bwrap":
        (process,) = process.children()
    return process.pid


def nodes_of(cell: int) -> list[int]:
    """Pids of the processes below a cell's supervisor, zombies included."""
    return [process.pid for process in psutil.Process(supervisor_of(cell)).children(recursive=True)]


def descendants() -> list[psutil.Process]:
    """The living family of this process, itself not included."""
    return [process for process in psutil.Process().children(recursive=True) if _lives(process)]


def marked(marker: str) -> list[str]:
    """Processes that carry the marker in their name or command line."""
    found = []
    for process in psutil.process_iter(["name", "cmdline", "status"]):
        told = [process.info["name"] or "", *(process.info["cmdline"] or [])]
        if process.info["status"] != psutil.STATUS_ZOMBIE and any(marker in text for text in told):
            found.append(" ".join(told))
    return found


def burning(seconds: float = 0.3) -> list[str]:
    """Descendants that use more than a fifth of a core."""
    before = {process.pid: _cpu_seconds(process) for process in descendants()}
    time.sleep(seconds)
    grown = {p.pid: _cpu_seconds(p) - before.get(p.pid, 0.0) for p in descendants()}
    return [f"process {pid}" for pid, used in grown.items() if used > 0.2 * seconds]


def settle(look: Callable[[], list], seconds: float) -> list:
    """What `look` finds, once it finds nothing or the time is over."""
    deadline = time.monotonic() + seconds
    while (found := look()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return found


def open_files() -> int:
    """Descriptors of this process."""
    return len(os.listdir("/proc/self/fd"))


def _lives(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return process.status() != psutil.STATUS_ZOMBIE
    return False


def _cpu_seconds(process: psutil.Process) -> float:
    with contextlib.suppress(psutil.NoSuchProcess):
        return sum(process.cpu_times()[:2])
    return 0.0
