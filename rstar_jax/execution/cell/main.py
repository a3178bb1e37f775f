"""Start of a cell: give up rights, start the first process and sandbox it, serve until the other side closes.

Command line: this package's folder, the number of an inherited socket, the pid of the pool's process (0 inside
namespaces of the cell's own, which end with it anyway), and the settings as JSON.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import signal
import socket
import sys
from typing import Any, NoReturn

from . import limits, node, strays, system, tiers, wire
from .node import Job, Node, Settings
from .processes import PoolGone, Processes
from .sandbox import layers
from .sandbox.notify import ForkGuard
from .supervisor import Supervisor

REHEARSAL = (
    "import math\ndef f(n):\n    return n + 1\n",
    "total = 0\nfor k in range(3):\n    if k % 2 == 0:\n        total += f(k)\n",
    "root = [math.sqrt(k) for k in range(3)]\nprint(f'{total}', root)\n",
)


def main() -> None:
    """Run the cell. The process exits when the pool closes its end or dies, and its nodes with it."""
    fd, parent, settings = int(sys.argv[2]), int(sys.argv[3]), Settings(**json.loads(sys.argv[4]))
    sys.argv[:] = [""]  # what a fresh interpreter that runs a program shows
    signal.signal(signal.SIGTERM, _leave)
    own_uid = "user" not in settings.left_out and limits.drop_root()
    if parent:
        system.die_with(parent, signal.SIGTERM)  # after the change of user, which resets it
    system.set_dumpable(False)
    system.adopt_orphans()
    limits.limit_supervisor()
    os.chdir("/")
    os.environ.pop("PWD", None)  # bubblewrap's own
    pool = socket.socket(fileno=fd)
    processes = Processes(pool)
    try:
        with pool:
            first, missing = _start_first(processes, settings, own_uid)
            if os.getuid() == 0:
                missing["user"] = "the cell could not leave root"
            with contextlib.suppress(BrokenPipeError, ConnectionResetError, PoolGone):  # the pool has hung up
                wire.send(pool, {"ready": True, "missing": missing})
                serve(pool, Supervisor(settings, processes, first), processes)
    finally:
        processes.end_all()
        strays.end_all(())


def serve(pool: socket.socket, supervisor: Supervisor, processes: Processes) -> None:
    """Answer requests one after another: a report per snippet, in order, as soon as it is known; then totals.

    Ends with the stream, or with the exception that says that the pool has hung up.
    """
    while (request := wire.receive(pool)) is not None:
        tier, history, snippets = request["tier"], tuple(request["history"]), request["snippets"]
        for report in supervisor.expand(tier, history, snippets):
            wire.send(pool, dataclasses.asdict(report))
        if processes.guard is None:
            strays.end_all(processes.known())
        wire.send(pool, dataclasses.asdict(supervisor.totals))
        processes.reap(block=True)


def _start_first(processes: Processes, settings: Settings, own_uid: bool) -> tuple[Any, dict[str, str]]:
    """The clean process of the standard tier, sandboxed, and the layers that could not be put on."""
    supervisor = os.getpid()
    first = processes.start(system.clone, lambda sock: _first(sock, supervisor, settings, own_uid))
    with socket.socket(fileno=os.dup(first.sock.fileno())) as sock:
        hello = wire.receive(sock)
        if hello is None:
            raise RuntimeError("the first process has died at its start")
        _, listener = wire.receive_command(sock)
    processes.guard = ForkGuard(listener) if listener is not None else None
    return first, hello["missing"]


def _first(sock: socket.socket, supervisor: int, settings: Settings, own_uid: bool) -> NoReturn:
    """The process from which all others descend. It never runs model-written code itself."""
    try:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        node.adopt(sock.detach(), supervisor)
        os.closerange(node.CONTROL + 1, os.sysconf("SC_OPEN_MAX"))
        _shut_standard_streams()
        control = socket.socket(fileno=node.CONTROL)
        layers.restrict_imports(layers.readable_paths())
        tiers.load("standard")
        rehearse(settings)
        _check_single_thread()
        limits.limit_nodes(settings.memory_bytes, own_uid)
        sandbox = layers.put_on(settings.left_out)
        wire.send(control, {"missing": sandbox.missing})
        wire.send_command(control, b"l", sandbox.listener)
        if sandbox.listener is not None:
            os.close(sandbox.listener)
        layers.seal(sandbox)
        this = Node(settings)
        this.interpreter.install()
        node.make_forkable()
        node.serve(control, supervisor, this)
    finally:
        os._exit(1)  # an exception must not climb into this copy of the supervisor


def rehearse(settings: Settings) -> None:
    """Do a node's work a few times: what the interpreter builds on first use is then shared by all forks."""
    for _ in range(20):
        rehearsed = Node(settings)
        for step in REHEARSAL:
            job = Job.from_message(wire.decode(wire.encode(Job((), step).as_message())[wire.HEADER.size :]))
            wire.encode(rehearsed.work(job))


def _leave(number: int, frame: object) -> NoReturn:
    raise SystemExit(128 + number)


def _check_single_thread() -> None:
    """A raw fork copies only the calling thread; a lock held by another would stay locked for ever."""
    if not os.path.isdir("/proc/self/task"):  # namespaces without it; the system call filter allows no thread
        return
    threads = len(os.listdir("/proc/self/task"))
    if threads != 1:
        raise RuntimeError(f"the libraries of this cell have started {threads - 1} threads")


def _shut_standard_streams() -> None:
    null = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(null, standard)
    os.close(null)
