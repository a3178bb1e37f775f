"""A cell's processes as the machine sees them."""

from __future__ import annotations

import os
from pathlib import Path


def all_processes() -> dict[int, tuple[int, str, str]]:
    """Parent, state and name of each process that is not a zombie."""
    found = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                stat = Path("/proc", entry, "stat").read_text()
            except (FileNotFoundError, ProcessLookupError):
                continue
            name, _, rest = stat.partition("(")[2].rpartition(")")
            state, parent = rest.split()[:2]
            found[int(entry)] = (int(parent), state, name)
    return found


def nodes_of(cell: int) -> list[int]:
    """Pids of the processes below a cell's supervisor, zombies included."""
    processes = all_processes()
    top = supervisor_of(cell)
    return [pid for pid in processes if top in _ancestors(pid, processes)]


def supervisor_of(cell: int) -> int:
    """The cell's process itself, which with namespaces is a grandchild of the one that was started."""
    processes = all_processes()
    while processes[cell][2] == "bwrap":
        cell = next(pid for pid, (parent, _, _) in processes.items() if parent == cell)
    return cell


def _ancestors(pid: int, processes: dict[int, tuple[int, str, str]]) -> list[int]:
    found = []
    while pid in processes:
        pid = processes[pid][0]
        found.append(pid)
    return found
