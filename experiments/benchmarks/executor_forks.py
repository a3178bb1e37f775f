"""What the kernel asks for a fork: the floor under the executor's cost for a step.

    python experiments/benchmarks/executor_forks.py TIER

Prints JSON: CPU milliseconds of fork, exit and wait in a process with a tier's libraries, when the fork does
nothing and when it runs one light snippet, with the pages copied; and the same snippet's cost without a fork.
"""

from __future__ import annotations

import gc
import io
import json
import os
import resource
import statistics
import sys
import time
from collections.abc import Callable

from rstar_jax.execution.cell import node, system, tiers
from rstar_jax.execution.cell.interpreter import Interpreter

TIMES = 200
SNIPPET = "total = 0\nfor k in range(3):\n    total += k * k\nprint(total)\n"


def snippet() -> None:
    """One step in a fresh namespace."""
    Interpreter(1024).advance(SNIPPET)


def forked(run: Callable[[], None]) -> tuple[float, float]:
    """Median CPU milliseconds, this process's included, and page faults of a fork that does `run`."""
    costs, faults = [], []
    for _ in range(TIMES):
        started = time.process_time()
        pid = system.clone()
        if pid == 0:
            run()
            os._exit(0)
        _, _, usage = os.wait4(pid, 0)
        costs.append(time.process_time() - started + usage.ru_utime + usage.ru_stime)
        faults.append(usage.ru_minflt)
    return statistics.median(costs) * 1e3, statistics.median(faults)


def main() -> None:
    """Measure in this process, which becomes like a cell's clean process."""
    tiers.load(sys.argv[1])
    output, sys.stdout = sys.stdout, io.StringIO()
    for _ in range(20):
        snippet()
    started = time.process_time()
    for _ in range(TIMES):
        snippet()
    alone = (time.process_time() - started) / TIMES * 1e3
    gc.collect()
    node.make_forkable()
    nothing, _ = forked(lambda: None)
    step, faults = forked(snippet)
    resident = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    figures = {"mb": resident, "alone_ms": alone, "fork_ms": nothing, "fork_and_step_ms": step, "faults": faults}
    print(json.dumps({name: round(value, 3) for name, value in figures.items()}), file=output)


if __name__ == "__main__":
    main()
