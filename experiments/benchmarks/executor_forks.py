"""What the kernel asks for a fork: the floor under the executor's cost for a step.

    python experiments/benchmarks/executor_forks.py WORKLOAD [--programs N]

WORKLOAD is `light` or `sympy`: programs of `executor_programs.py`. Each of their steps runs twice, in a process with
the workload's libraries that is arranged as a cell's: in a fork of the step before, then in the process itself. No
executor takes part. Prints JSON: CPU milliseconds of a fork that does nothing, with its exit and wait; of a step here;
what the fork adds to a step; the pages that the step makes the kernel copy or add; and microseconds per copied page,
when each is written to and when the kernel is asked for all at once, so whether copying or trapping costs more. Takes
seconds.
"""

from __future__ import annotations

import contextlib
import dataclasses
import io
import json
import mmap
import os
import resource
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any, Literal

import tyro
from executor_programs import generate

from rstar_jax.execution.cell import node, system, tiers

TIERS = {"light": "standard", "sympy": "symbolic"}
TIMES = 200
PAGES = 2000
MADV_NOHUGEPAGE, MADV_POPULATE_WRITE = 15, 23


@dataclasses.dataclass(frozen=True)
class Options:
    """Command-line options."""

    workload: tyro.conf.Positional[Literal["light", "sympy"]]
    programs: int = 20


def forked(run: Callable[[], object]) -> tuple[float, int]:
    """CPU seconds, this process's included, and page faults of a fork that does `run`."""
    started = time.process_time()
    pid = system.clone()
    if pid == 0:
        run()
        os._exit(0)
    _, _, usage = os.wait4(pid, 0)
    return time.process_time() - started + usage.ru_utime + usage.ru_stime, usage.ru_minflt


def step(source: str, namespace: dict[str, Any]) -> float:
    """CPU seconds of a step, its output thrown away."""
    started = time.process_time()
    with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(Exception):
        exec(source, namespace)
    return time.process_time() - started


def descend(program: Sequence[str], namespace: dict[str, Any]) -> None:
    """Each step in a fork of the one before, as the nodes of a path are."""
    if program:
        forked(lambda: (step(program[0], namespace), descend(program[1:], namespace)))


def measure(options: Options) -> dict[str, float]:
    """All figures; this process becomes like a cell's clean process."""
    tiers.load(TIERS[options.workload])
    steps, here, below, faults = 0, 0.0, 0.0, 0
    for program in generate(options.workload, options.programs):
        if options.workload == "sympy":
            __import__("sympy").core.cache.clear_cache()
        node.make_forkable()
        cost, copied = forked(lambda program=program: descend(program, {"__name__": "__main__"}))
        namespace: dict[str, Any] = {"__name__": "__main__"}
        here += sum(step(source, namespace) for source in program)
        below, faults, steps = below + cost, faults + copied, steps + len(program)
    nothing = statistics.median(forked(lambda: None)[0] for _ in range(TIMES))
    below -= options.programs * nothing  # the fork at the top, which runs no step
    return {
        "mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "fork_ms": nothing * 1e3,
        "step_ms": here / steps * 1e3,
        "fork_adds_ms": (below - here) / steps * 1e3,
        "faults": faults / steps,
    }


def page_copies() -> dict[str, float]:
    """Microseconds per page that a fork copies, by either way."""
    memory = mmap.mmap(-1, PAGES * mmap.PAGESIZE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    memory.madvise(MADV_NOHUGEPAGE)

    def write() -> None:
        for offset in range(0, len(memory), mmap.PAGESIZE):
            memory[offset] = 1

    write()
    started = time.process_time()
    write()
    loop = time.process_time() - started
    costs = {
        name: statistics.median(forked(run)[0] for _ in range(20))
        for name, run in {
            "nothing": lambda: None,
            "by_traps": write,
            "at_once": lambda: memory.madvise(MADV_POPULATE_WRITE),
        }.items()
    }
    extra = {"by_traps": costs["by_traps"] - loop, "at_once": costs["at_once"]}
    return {f"copy_{name}_us": (cost - costs["nothing"]) / PAGES * 1e6 for name, cost in extra.items()}


def main(options: Options) -> None:
    figures = measure(options) | page_copies()
    print(json.dumps({name: round(value, 3) for name, value in figures.items()}))


if __name__ == "__main__":
    main(tyro.cli(Options))
