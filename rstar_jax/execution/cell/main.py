"""Start of a cell: give up rights, load the libraries, then serve expansions until the other side closes.

Command line: this package's folder, the number of an inherited socket, the pid of the pool's process, and the
settings as JSON.
"""

from __future__ import annotations

import dataclasses
import gc
import json
import os
import socket
import sys

from . import limits, node, system, tiers, wire
from .interpreter import Interpreter
from .node import Job, Settings
from .supervisor import Supervisor

REHEARSAL = (
    "import math\ndef f(n):\n    return n + 1\n",
    "total = 0\nfor k in range(3):\n    if k % 2 == 0:\n        total += f(k)\n",
    "root = [math.sqrt(k) for k in range(3)]\nprint(f'{total}', root)\n",
)


def main() -> None:
    """Run the cell. The process exits when the pool closes its end or dies."""
    fd, parent, settings = int(sys.argv[2]), int(sys.argv[3]), Settings(**json.loads(sys.argv[4]))
    sys.argv[:] = [""]  # what a fresh interpreter that runs a program shows
    own_uid = limits.drop_root()
    system.die_with(parent)  # after the change of user, which resets it
    system.adopt_orphans()
    limits.limit_cell(own_uid)
    os.chdir("/")
    tiers.load(settings.tier)
    rehearse(settings)
    _check_single_thread()
    gc.collect()
    gc.freeze()  # a collection in a fork would otherwise copy every page of the template
    with socket.socket(fileno=fd) as pool:
        wire.send(pool, {"ready": True, "own_uid": own_uid, "root": os.getuid() == 0})
        serve(pool, Supervisor(settings))


def rehearse(settings: Settings) -> None:
    """Do a node's work a few times: what the interpreter builds on first use is then shared by all forks."""
    job = Job(REHEARSAL[:-1], REHEARSAL[-1])
    for _ in range(20):
        answer = node.answer(job, settings, Interpreter(settings.output_chars))
        wire.decode(wire.encode({**answer, **job.as_message()})[wire.HEADER.size :])


def serve(pool: socket.socket, supervisor: Supervisor) -> None:
    """Answer requests one after another: a report per snippet, in order, as soon as it is known."""
    try:
        while (request := wire.receive(pool)) is not None:
            history, snippets = tuple(request["history"]), request["snippets"]
            for report in supervisor.expand(history, snippets):
                wire.send(pool, dataclasses.asdict(report))
    except (BrokenPipeError, ConnectionResetError):
        return  # the pool has gone


def _check_single_thread() -> None:
    """A raw fork copies only the calling thread; a lock held by another would stay locked for ever."""
    threads = len(os.listdir("/proc/self/task"))
    if threads != 1:
        raise RuntimeError(f"the libraries of this cell have started {threads - 1} threads")
