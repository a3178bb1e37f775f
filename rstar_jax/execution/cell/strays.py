"""Processes that model-written code has started and left behind.

Where the fork guard is missing they are possible, if rare: they come to the cell, which adopts orphans, and are
ended after each expansion. With it there is one way: a node that was told to fork does so and hides the new one.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Collection
from pathlib import Path


def end_all(known: Collection[int]) -> None:
    """Kill all descendants of this process that are not `known`, and reap those that are its children."""
    if not os.path.isdir("/proc/self"):  # namespaces without it, which end with the cell
        return
    while strangers := _descendants().difference(known):
        frozen: set[int] = set()
        while new := strangers - frozen:  # stop them, again and again: then none can fork away
            for pid in new:
                _signal(pid, signal.SIGSTOP)
            frozen |= new
            strangers = _descendants().difference(known)
        for pid in frozen:
            _signal(pid, signal.SIGKILL)
        for pid in frozen:
            _reap(pid)


def _descendants() -> set[int]:
    """Living ones, and zombies that are this process's own children."""
    me = os.getpid()
    children: dict[int, list[int]] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            state, parent = _state(entry)
            if state != "Z" or parent == me:
                children.setdefault(parent, []).append(int(entry))
    found: set[int] = set()
    queue = [me]
    while queue:
        below = children.get(queue.pop(), [])
        found.update(below)
        queue += below
    return found


def _state(entry: str) -> tuple[str, int]:
    try:
        stat = Path("/proc", entry, "stat").read_text()
    except OSError:  # it has ended meanwhile
        return "", 0
    state, parent = stat.rpartition(")")[2].split()[:2]
    return state, int(parent)


def _reap(pid: int) -> None:
    try:
        os.waitpid(pid, 0)
    except ChildProcessError:  # not ours: it comes to us when its parent ends
        return


def _signal(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return
