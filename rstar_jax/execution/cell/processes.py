"""The processes of a cell as its supervisor sees them: started one at a time, watched, ended, reaped.

All are children of the supervisor (CLONE_PARENT), so a pid cannot come to mean another process before it is
reaped here, and a paused process costs one descriptor.
"""

from __future__ import annotations

import dataclasses
import os
import select
import signal
import socket
import time
from collections.abc import Callable
from typing import Any, NoReturn

from . import wire
from .node import FORK
from .sandbox.notify import ForkGuard

HANDSHAKE_SECONDS = 5.0  # for a paused process to fork; it has nothing else to do
_MOST_UNREAPED = 16


class PoolGone(Exception):
    """The pool has closed its end: nobody waits for a result any more."""


class NoRoom(Exception):
    """The kernel had no room for another process."""


@dataclasses.dataclass(eq=False)
class Process:
    """A node."""

    pid: int
    sock: socket.socket
    inbox: wire.Inbox = dataclasses.field(default_factory=wire.Inbox)
    started: float = dataclasses.field(default_factory=time.monotonic)
    stopped: bool = False

    def age(self) -> float:
        """Seconds since it was forked."""
        return time.monotonic() - self.started

    def stop(self) -> None:
        """Hold it: what waits must not go on in secret, whatever it was told by the code that it ran."""
        os.kill(self.pid, signal.SIGSTOP)
        self.stopped = True

    def go_on(self) -> None:
        if self.stopped:
            os.kill(self.pid, signal.SIGCONT)
            self.stopped = False

    def cpu_seconds(self) -> float:
        """CPU time that it has used since it was forked."""
        return time.clock_gettime(~self.pid << 3 | 2)  # the kernel's name for that process's CPU clock


@dataclasses.dataclass(frozen=True)
class Limits:
    """What a process may use, in seconds, until it sends its next message."""

    cpu: float
    wall: float


class Processes:
    """All processes of a cell but the supervisor itself."""

    def __init__(self, pool: socket.socket) -> None:
        self._pool = pool
        self.guard: ForkGuard | None = None
        self._alive: dict[int, Process] = {}
        self._ended: set[int] = set()  # killed, not reaped yet

    def __len__(self) -> int:
        return len(self._alive)

    def start(self, clone: Callable[[], int], run: Callable[[socket.socket], NoReturn]) -> Process:
        """Fork the supervisor itself: the first process, from which all others descend."""
        ours, theirs = socket.socketpair()
        pid = clone()
        if pid == 0:
            run(theirs)
        theirs.close()
        return self._register(pid, ours)

    def fork(self, base: Process) -> Process | None:
        """A fork of a waiting process; None when it does not do as it is told. Raises NoRoom."""
        base.go_on()
        deadline = time.monotonic() + HANDSHAKE_SECONDS
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                wire.send_command(base.sock, FORK, theirs.fileno())
            if self.guard is not None:
                self.guard.admit(base.pid, base.sock.fileno(), deadline)
            pid = wire.receive_pid(base.sock, deadline)
            if pid == wire.NO_FORK:
                raise NoRoom
            if pid in self._alive or pid in self._ended or not _is_child(pid):
                raise wire.BadMessage("not a process that it can have forked")
        except NoRoom:
            ours.close()
            raise
        except (TimeoutError, ConnectionError, wire.BadMessage):
            ours.close()
            return None
        return self._register(pid, ours)

    def ask(self, process: Process, message: dict[str, Any], limits: Limits) -> tuple[dict[str, Any], str]:
        """Send a new process its job and wait for the answer, as `wait` does."""
        process.go_on()
        process.sock.settimeout(HANDSHAKE_SECONDS)
        try:
            wire.send(process.sock, message)
        except (TimeoutError, ConnectionError):
            return {}, "crash"
        return self.wait(process, limits)

    def wait(self, process: Process, limits: Limits) -> tuple[dict[str, Any], str]:
        """Its next message and "", or {} and what it has died of or is to die of: "cpu", "wall" or "crash".

        Raises PoolGone.
        """
        poll = select.poll()
        poll.register(process.sock, select.POLLIN)
        poll.register(self._pool, 0)  # tells only that the other side has hung up
        if self.guard is not None:
            poll.register(self.guard.listener, select.POLLIN)
        first_cpu = process.cpu_seconds()
        wall_end = time.monotonic() + limits.wall
        while True:
            wall_left = wall_end - time.monotonic()
            cpu_left = limits.cpu - (process.cpu_seconds() - first_cpu)
            if cpu_left <= 0 or wall_left <= 0:
                return {}, "cpu" if cpu_left <= 0 else "wall"
            # One thread cannot use CPU time faster than the clock runs, so this is never late by much.
            ready = {fd for fd, _ in poll.poll(min(wall_left, cpu_left) * 1e3 + 1)}
            if self._pool.fileno() in ready:
                raise PoolGone
            if process.sock.fileno() in ready:
                try:
                    message = process.inbox.read(process.sock)
                except (wire.BadMessage, ConnectionError):
                    return {}, "crash"
                if message is not None:
                    return message, ""
            elif ready and self.guard is not None:
                self.guard.refuse()

    def end(self, process: Process) -> None:
        """Kill it; it is reaped when there is time."""
        process.sock.close()
        os.kill(process.pid, signal.SIGKILL)
        del self._alive[process.pid]
        self._ended.add(process.pid)
        if len(self._ended) > _MOST_UNREAPED:
            self.reap(block=True)

    def reap(self, block: bool = False) -> None:
        """Take leave of those that were killed; `block`: wait until all are gone."""
        for pid in list(self._ended):
            if os.waitpid(pid, 0 if block else os.WNOHANG)[0] == pid:
                self._ended.discard(pid)

    def end_all(self) -> None:
        """Kill and reap all."""
        for process in list(self._alive.values()):
            self.end(process)
        self.reap(block=True)

    def known(self) -> set[int]:
        """Pids of those that it watches or has yet to reap."""
        return {*self._alive, *self._ended}

    def _register(self, pid: int, sock: socket.socket) -> Process:
        process = self._alive[pid] = Process(pid, sock)
        return process


def _is_child(pid: int) -> bool:
    try:
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except (ChildProcessError, OverflowError):
        return False
    return True
