"""Processes that model-written code has started and left behind.

Limits make them rare (a node may not fork), but a history is replayed in a node that may be forked, and for
real root the limit does not hold. They come to the cell, which adopts orphans, and are ended after each
expansion.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path


def end_all() -> None:
    """Kill and reap all descendants. Call only while no node of the cell's own is alive."""
    while _any_left():
        family = _freeze()
        for pid in family:
            _signal(pid, signal.SIGKILL)


def _any_left() -> bool:
    """Reap what has ended; whether a living child remains. One system call when there is no child."""
    try:
        while True:
            pid, _ = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return True
    except ChildProcessError:
        return False


def _freeze() -> set[int]:
    """Stop all descendants, again and again until there is no new one: then none can fork away."""
    frozen: set[int] = set()
    while new := _descendants() - frozen:
        for pid in new:
            _signal(pid, signal.SIGSTOP)
        frozen |= new
    return frozen


def _descendants() -> set[int]:
    children: dict[int, list[int]] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            children.setdefault(_parent(entry), []).append(int(entry))
    found: set[int] = set()
    queue = [os.getpid()]
    while queue:
        below = children.get(queue.pop(), [])
        found.update(below)
        queue += below
    return found


def _parent(entry: str) -> int:
    try:
        stat = Path("/proc", entry, "stat").read_text()
    except OSError:  # it has ended meanwhile
        return 0
    return int(stat.rpartition(")")[2].split()[1])


def _signal(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return
