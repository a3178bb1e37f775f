"""The untrusted half: a process that runs model-written code, then waits to be forked or ended.

A node talks over file descriptor 3 only. Whatever it sends may be forged by the code that it runs, but that
code could as well have printed it; so no question, answer or reward ever enters a cell.
"""

from __future__ import annotations

import dataclasses
import gc
import os
import socket
from typing import Any, NoReturn

from . import program, system, tiers, wire
from .formatters import CLEANING, FORMATS, NEEDED
from .interpreter import Interpreter

CONTROL = 3
FORK, SETTLE = b"f", b"s"  # commands to a waiting node
Message = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Settings:
    """What a cell is told when it starts; `ExecutorConfig` explains the values."""

    semantics: str
    cpu_seconds: float
    wall_seconds: float
    memory_bytes: int
    output_chars: int
    snapshots: int
    snapshot_bytes: int
    states: bool = False
    left_out: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Job:
    """What a new node is to do: load a tier, or replay `add` and then run `snippet` unless that is None.

    `doomed`: the history has brought its node down, so only a snippet that goes on with the last block can
    fare otherwise.
    """

    add: tuple[str, ...] = ()
    snippet: str | None = None
    doomed: bool = False
    tier: str = ""

    def as_message(self) -> Message:
        return dataclasses.asdict(self)

    @classmethod
    def from_message(cls, message: Message) -> Job:
        return cls(tuple(message["add"]), message["snippet"], message["doomed"], message["tier"])


class Node:
    """The state of one node: the steps that have led to it and the interpreter that they have left."""

    def __init__(self, settings: Settings) -> None:
        self.interpreter = Interpreter(settings.output_chars)
        self._settings = settings
        self._clean = CLEANING[settings.semantics]
        self._steps: tuple[str, ...] = ()

    def work(self, job: Job) -> Message:
        """Do a job; what became of it."""
        if job.tier:
            return self._load(job.tier)
        self._steps += job.add
        return self.settle() if job.snippet is None else self._run(job)

    def settle(self) -> Message:
        """Run what children will find done: all statements of the longest program that the steps make."""
        if self.interpreter.advance(program.longest_program(self._steps, self._clean)) is None:
            return {"restart": True}
        return {"ready": True, "shareable": _shareable()}

    def _run(self, job: Job) -> Message:
        settings, before = self._settings, self._steps
        assert job.snippet is not None
        self._steps = (*before, job.snippet)
        source = self._clean(program.join(self._steps))
        if job.doomed and self._only_adds(before, source):
            return {"inherit": True}
        trace = self.interpreter.advance(source, NEEDED[settings.semantics])
        if trace is None:
            return {"restart": True}
        trace.history = before
        ok, output = FORMATS[settings.semantics](trace, settings.output_chars)
        unchanged = not trace.body and not job.add  # it does not parse, so the state is the history's
        settled = unchanged or self.interpreter.has_run(source)
        state = self.interpreter.state() if settings.states and trace.body else ""
        return {"ok": ok, "output": output, "state": state, "settled": settled, "shareable": _shareable()}

    def _only_adds(self, history: tuple[str, ...], source: str) -> bool:
        """Whether running `source` begins with all that the history's replay ran."""
        before = program.statements(program.longest_program(history, self._clean))
        try:
            body = program.statements(source)
        except Exception:  # the run will say it
            return False
        needed = NEEDED[self._settings.semantics](body)
        return program.ends(body[:needed])[: len(before)] == program.ends(before)

    def _load(self, tier: str) -> Message:
        """Become the clean state of another tier."""
        tiers.load(tier)
        make_forkable()
        return {"ready": True, "shareable": _shareable()}


def serve(control: socket.socket, supervisor: int, node: Node) -> NoReturn:
    """Obey commands; never returns. In a new process the loop goes on with that process's own job.

    After a fork the first write to a page copies it, in both processes, so the loop does little.
    """
    try:
        while True:
            command, fd = wire.receive_command(control)
            if command == SETTLE:
                wire.send(control, node.settle())
            elif command == FORK and fd is not None:
                pid = _fork()
                if pid == 0:
                    adopt(fd, supervisor)  # `control` is descriptor 3: from here on the new process's own
                    wire.send(control, node.work(Job.from_message(wire.receive(control) or {})))
                else:
                    os.close(fd)
                    wire.send_pid(control, pid)
            else:
                os._exit(0)
    finally:
        os._exit(1)  # nothing may climb out of here: below lies a copy of the supervisor


def make_forkable() -> None:
    """Arrange this process's memory so that forks of it cost little."""
    gc.collect()
    addresses = {id(thing) for thing in gc.get_objects()}
    gc.freeze()  # a collection in a fork would otherwise copy every page
    system.collapse(addresses)


def adopt(fd: int, supervisor: int) -> None:
    """Take `fd` as the control socket, and die with the supervisor."""
    system.die_with(supervisor)
    if fd != CONTROL:
        os.dup2(fd, CONTROL, inheritable=False)
        os.close(fd)


def _fork() -> int:
    """0 in the new process, else its pid; NO_FORK when there is no room for one."""
    try:
        return system.clone(system.CLONE_PARENT)
    except OSError:
        return wire.NO_FORK


def _shareable() -> bool:
    """Whether forks of this process would share nothing: an open file has one position for all of them."""
    free = os.dup(CONTROL)
    os.close(free)
    return free == CONTROL + 1
