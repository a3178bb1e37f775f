"""The untrusted half: a process that runs model-written code, then answers, then ends or waits to be forked.

A node talks over file descriptor 3 only. Whatever it sends may be forged by the code that it runs, but that
code could as well have printed it; so no question, answer or reward ever enters a cell.
"""

from __future__ import annotations

import dataclasses
import os
import socket
from typing import Any, NoReturn

from . import limits, program, system, wire
from .formatters import CLEANING, FORMATS, NEEDED
from .interpreter import Interpreter

CONTROL = 3


@dataclasses.dataclass(frozen=True)
class Settings:
    """What a cell is told when it starts; `ExecutorConfig` explains the values."""

    tier: str
    semantics: str
    cpu_seconds: int
    wall_seconds: float
    memory_bytes: int
    output_chars: int


@dataclasses.dataclass(frozen=True)
class Job:
    """What a node is to do: replay `history`, and run `snippet` after it unless that is None.

    `doomed`: the history has brought its node down, so only a snippet that goes on with the last block can
    fare otherwise.
    """

    history: tuple[str, ...]
    snippet: str | None
    doomed: bool = False

    @property
    def steps(self) -> int:
        """How many steps run when the job starts from the clean template."""
        return len(self.history) + (self.snippet is not None)

    def as_message(self) -> dict[str, Any]:
        return {"history": self.history, "snippet": self.snippet, "doomed": self.doomed}

    @classmethod
    def from_message(cls, message: dict[str, Any]) -> Job:
        return cls(tuple(message["history"]), message["snippet"], message["doomed"])


def begin(sock: socket.socket, parent: int, job: Job, settings: Settings) -> NoReturn:
    """First code of a process that was forked from the clean template; the process ends here."""
    try:
        _adopt(sock.fileno(), parent)
        os.closerange(CONTROL + 1, limits.MAX_FILES)
        _shut_standard_streams()
        cpu_seconds = settings.cpu_seconds * job.steps
        limits.limit_node(cpu_seconds, settings.memory_bytes, final=job.snippet is not None)
        interpreter = Interpreter(settings.output_chars)
        interpreter.install()
        _work(socket.socket(fileno=CONTROL), parent, job, settings, interpreter)
    finally:
        os._exit(1)  # an exception must not climb into this copy of the supervisor


def _work(
    control: socket.socket, parent: int, job: Job, settings: Settings, interpreter: Interpreter
) -> NoReturn:
    while job.snippet is None:
        source = program.longest_program(job.history, CLEANING[settings.semantics])
        interpreter.advance(source)
        wire.send(control, {"ready": True})
        _wait_to_be_forked(control, parent)
        limits.limit_node(settings.cpu_seconds, settings.memory_bytes, final=True)
        job = Job.from_message(wire.receive(control) or {})
    wire.send(control, answer(job, settings, interpreter))
    os._exit(0)


def _wait_to_be_forked(control: socket.socket, parent: int) -> None:
    """Serve fork requests; returns in each new process, never in the old one.

    After a fork the first write to a page copies it, in both processes, so this loop does little else.
    """
    limits.allow_forks()
    while True:
        fd = wire.receive_fd(control)
        if fd is None:
            os._exit(0)
        pid = system.clone(system.CLONE_PARENT)
        if pid == 0:
            _adopt(fd, parent)  # `control` is descriptor 3, so from here on it is the new process's own
            return
        os.close(fd)
        wire.send_pid(control, pid)


def answer(job: Job, settings: Settings, interpreter: Interpreter) -> dict[str, Any]:
    """Run the job's snippet and put what became of it into a message."""
    semantics, clean = settings.semantics, CLEANING[settings.semantics]
    assert job.snippet is not None
    source = clean(program.join((*job.history, job.snippet)))
    if job.doomed and _only_adds(job.history, source, settings):
        return {"inherit": True}
    trace = interpreter.advance(source, NEEDED[semantics])
    if trace is None:
        return {"restart": True}
    ok, output = FORMATS[semantics](trace, settings.output_chars)
    return {"ok": ok, "output": output}


def _only_adds(history: tuple[str, ...], source: str, settings: Settings) -> bool:
    """Whether running `source` begins with all that the history's replay ran."""
    before = program.statements(program.longest_program(history, CLEANING[settings.semantics]))
    try:
        body = program.statements(source)
    except Exception:  # the run will say it
        return False
    needed = NEEDED[settings.semantics](body)
    return program.ends(body[:needed])[: len(before)] == program.ends(before)


def _adopt(fd: int, parent: int) -> None:
    """Take `fd` as the control socket, and die with the cell."""
    system.die_with(parent)
    if fd != CONTROL:
        os.dup2(fd, CONTROL, inheritable=False)
        os.close(fd)


def _shut_standard_streams() -> None:
    null = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(null, standard)
    os.close(null)
