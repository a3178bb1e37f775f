"""The trusted half: forks nodes, keeps them to their limits, and answers for those that die.

One expansion: a node replays the history once (the stem); for each snippet the stem is forked and the fork
runs the snippet. Nothing outlives the expansion yet; a later cache of paused nodes only has to keep stems.
"""

from __future__ import annotations

import dataclasses
import os
import signal
import socket
import time
from collections.abc import Iterator, Sequence
from typing import Any

from . import node, strays, system, wire
from .formatters import MAX_OUTPUT_CHARS
from .node import Job, Settings


@dataclasses.dataclass
class Report:
    """What became of one snippet. `killed` is "", "cpu", "wall" or "crash".

    The times are those of the snippet's own process; CPU time of replays is added to the report that follows.
    """

    outcome: str  # "ok", "error" or "timeout"
    output: str
    killed: str = ""
    cpu_seconds: float = 0.0
    wall_seconds: float = 0.0
    restarted: bool = False


@dataclasses.dataclass
class Node:
    """A forked process as its cell sees it. Its limits are those of one step times `steps`."""

    pid: int
    sock: socket.socket
    steps: int
    started: float = dataclasses.field(default_factory=time.monotonic)

    def await_message(self, seconds: float) -> tuple[dict[str, Any], str]:
        """Its next message within that time and "", or {} and why there is none ("wall" or "crash")."""
        try:
            message = wire.receive(self.sock, time.monotonic() + seconds)
        except TimeoutError:
            return {}, "wall"
        except (wire.BadMessage, ConnectionError):
            return {}, "crash"
        return (message, "") if message else ({}, "crash")

    def end(self) -> tuple[int, float]:
        """Kill and reap it. The signal that has ended it or 0, and the CPU seconds it used."""
        self.sock.close()
        os.kill(self.pid, signal.SIGKILL)
        _, status, usage = os.wait4(self.pid, 0)
        cpu = usage.ru_utime + usage.ru_stime
        return os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0, cpu


class Supervisor:
    """Expands histories in forks of this process, one after another."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._pid = os.getpid()
        self._replay_cpu = 0.0  # seconds, not reported yet

    def expand(self, history: tuple[str, ...], snippets: Sequence[str]) -> Iterator[Report]:
        """A report per snippet, in order, each as soon as it is known."""
        stem, fate = self._replay(history) if history else (None, None)
        try:
            for snippet in snippets:
                report = self._step(stem, fate, Job(history, snippet, fate is not None))
                report.cpu_seconds += self._replay_cpu
                self._replay_cpu = 0.0
                yield report
        finally:
            if stem is not None:
                self._replay_cpu += stem.end()[1]
            strays.end_all()

    def _replay(self, history: tuple[str, ...]) -> tuple[Node | None, Report | None]:
        """A node in the state that the history leaves, or what became of it."""
        stem = self._fork_template(Job(history, None))
        message, trouble = stem.await_message(self._settings.wall_seconds * len(history))
        if message.get("ready") is True:
            return stem, None
        fate = self._obituary(stem, trouble or "crash")
        self._replay_cpu += fate.cpu_seconds
        return None, fate

    def _step(self, stem: Node | None, fate: Report | None, job: Job) -> Report:
        leaf = self._fork_node(stem, job) if stem is not None else None
        if leaf is None:
            leaf = self._fork_template(job)
        message, trouble = leaf.await_message(self._settings.wall_seconds * leaf.steps)
        if message.get("restart") is True and stem is not None:
            leaf.end()
            return dataclasses.replace(self._step(None, None, job), restarted=True)
        if message.get("inherit") is True and fate is not None:
            leaf.end()
            return Report(fate.outcome, fate.output)
        return self._verdict(leaf, message) or self._obituary(leaf, trouble or "crash")

    def _verdict(self, leaf: Node, message: dict[str, Any]) -> Report | None:
        """The report of a node that has answered as it should."""
        ok, output = message.get("ok"), message.get("output")
        if not isinstance(ok, bool) or not isinstance(output, str) or len(output) > MAX_OUTPUT_CHARS:
            return None
        wall = time.monotonic() - leaf.started
        _, cpu = leaf.end()
        return Report("ok" if ok else "error", output, "", cpu, wall)

    def _obituary(self, dead: Node, trouble: str) -> Report:
        """The report of a node that has not."""
        wall = time.monotonic() - dead.started
        killer, cpu = dead.end()
        ignored = killer == signal.SIGKILL and cpu > self._settings.cpu_seconds * dead.steps + 0.5
        if killer == signal.SIGXCPU or ignored:
            trouble = "cpu"
        if trouble == "crash":
            return Report("error", "ProcessError: the interpreter died", trouble, cpu, wall)
        settings = self._settings
        limit = f"{settings.cpu_seconds} CPU" if trouble == "cpu" else f"{settings.wall_seconds:g}"
        return Report("timeout", f"TimeoutError: a step took more than {limit} seconds", trouble, cpu, wall)

    def _fork_template(self, job: Job) -> Node:
        ours, theirs = socket.socketpair()
        pid = system.clone()
        if pid == 0:
            node.begin(theirs, self._pid, job, self._settings)
        theirs.close()
        return Node(pid, ours, job.steps)

    def _fork_node(self, stem: Node, job: Job) -> Node | None:
        """A fork of `stem`, or None when it fails to do as it is told."""
        ours, theirs = socket.socketpair()
        ours.settimeout(self._settings.wall_seconds)
        started = time.monotonic()
        try:
            with theirs:
                wire.send_fd(stem.sock, theirs.fileno())
            pid = wire.receive_pid(stem.sock, started + self._settings.wall_seconds)
            if pid == stem.pid or not _is_child(pid):
                raise wire.BadMessage("not a process that it can have forked")
            wire.send(ours, job.as_message())
        except (TimeoutError, ConnectionError, wire.BadMessage):
            ours.close()
            return None
        return Node(pid, ours, 1, started)


def _is_child(pid: int) -> bool:
    """Whether `pid` is a child of ours: then the number cannot come to mean another before we reap it."""
    try:
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except (ChildProcessError, OverflowError):
        return False
    return True
