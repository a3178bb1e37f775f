"""How long a code step takes: the executor against two simpler ways to run it.

    python experiments/benchmarks/executor.py [--quick] [--json FILE] [--cells N]

Every expansion runs 8 snippets after a history of 3 steps. Ways:

* `executor`: `ExecutorPool`, isolated, the history replayed once per expansion;
* `warm process`: history and snippet again for each snippet by `exec` in one process, as the released code
  does; nothing is isolated, nothing is limited, libraries keep their caches;
* `fresh process`: a new interpreter for each snippet.

Workloads: `standard` uses the standard library only, `symbolic` SymPy, `slow history` has a 0.2 s loop.

Hardware: any Linux machine; two CPU cores are enough. Takes 15 seconds with --quick, about a minute without.
Expected: `standard` at about 2 ms per snippet; a fresh process costs ten times as much and more; after a slow
history the executor beats even the warm process, because it does not run it again for each sibling.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import io
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import tyro

from rstar_jax.execution import ExecutorConfig, ExecutorPool
from rstar_jax.files import atomic_write

SNIPPETS = 8
Expansion = tuple[tuple[str, ...], list[str]]
Run = Callable[[Expansion], Awaitable[None]]


@dataclasses.dataclass(frozen=True)
class Options:
    """Command-line options."""

    quick: bool = False  # a fifth of the expansions
    json: Path | None = None  # also write the numbers to this file
    cells: int = 2  # expansions at a time in the throughput column


def standard(index: int) -> Expansion:
    """A word problem's arithmetic."""
    history = (
        f"# Step 1: the numbers\nimport math\nprice, count = {index} + 3, 12\n",
        "# Step 2: the total\ntotal = price * count\nroot = math.sqrt(total)\n",
        "# Step 3: the divisors\ndivisors = [k for k in range(1, total + 1) if total % k == 0]\n",
    )
    return history, [
        f"# Now print the final answer\nprint(len(divisors) + {k}, root)\n" for k in range(SNIPPETS)
    ]


def symbolic(index: int) -> Expansion:
    """A polynomial equation."""
    history = (
        "import sympy as sp\nx = sp.symbols('x')\n",
        f"f = sp.expand((x - {index}) * (x + 2) * (x - 1))\n",
        "g = sp.diff(f, x)\n",
    )
    return history, [f"print(sp.solve(f, x), sp.simplify(g.subs(x, {k})))\n" for k in range(SNIPPETS)]


def slow_history(index: int) -> Expansion:
    """A brute-force search, then short steps."""
    history = (
        f"hits = 0\nfor a in range(1000 + {index}):\n    for b in range(2000):\n        hits += a == b\n",
        "half = hits // 2\n",
        "double = hits * 2\n",
    )
    return history, [f"print(half, double, {k})\n" for k in range(SNIPPETS)]


WORKLOADS: dict[str, tuple[Callable[[int], Expansion], int]] = {  # with the number of expansions
    "standard": (standard, 100),
    "symbolic": (symbolic, 25),
    "slow history": (slow_history, 10),
}


async def in_warm_process(expansion: Expansion) -> None:
    """Run each concatenation by exec, here."""
    history, snippets = expansion
    for snippet in snippets:
        with contextlib.redirect_stdout(io.StringIO()):
            exec("".join((*history, snippet)), {"__name__": "__main__"})


async def in_fresh_process(expansion: Expansion) -> None:
    """Run each concatenation in an interpreter of its own."""
    history, snippets = expansion
    for snippet in snippets:
        program = "".join((*history, snippet))
        subprocess.run([sys.executable, "-c", program], check=True, stdout=subprocess.DEVNULL)


async def one_by_one(run: Run, expansions: list[Expansion]) -> list[float]:
    """Milliseconds per snippet of each expansion."""
    times = []
    for expansion in expansions:
        started = time.perf_counter()
        await run(expansion)
        times.append((time.perf_counter() - started) * 1e3 / SNIPPETS)
    return times


def row(workload: str, way: str, times: list[float], per_second: float) -> dict[str, str | float]:
    return {
        "workload": workload,
        "way": way,
        "expansions": len(times),
        "p50_ms": round(statistics.median(times), 3),
        "mean_ms": round(statistics.fmean(times), 3),
        "snippets_per_s": round(per_second, 1),
    }


async def measure(options: Options) -> list[dict[str, str | float]]:
    """All rows. The executor's throughput is taken with all cells at work, that of the others one by one."""
    rows = []
    async with ExecutorPool(ExecutorConfig(cells=options.cells)) as pool:

        async def in_pool(expansion: Expansion) -> None:
            results = await pool.expand(*expansion)
            assert all(result.outcome == "ok" for result in results), results

        ways: dict[str, Run] = {
            "executor": in_pool,
            "warm process": in_warm_process,
            "fresh process": in_fresh_process,
        }
        for workload, (make, count) in WORKLOADS.items():
            count = max(count // 5, 2) if options.quick else count
            await asyncio.gather(*[in_pool(make(0)) for _ in range(options.cells)])  # starts the cells
            await in_warm_process(make(0))
            for way, run in ways.items():
                expansions = [
                    make(index) for index in range(count if way != "fresh process" else max(count // 5, 1))
                ]
                times = await one_by_one(run, expansions)
                per_second = 1e3 / statistics.fmean(times)
                if way == "executor":
                    started = time.perf_counter()
                    await asyncio.gather(*map(run, expansions))
                    per_second = len(expansions) * SNIPPETS / (time.perf_counter() - started)
                rows.append(row(workload, way, times, per_second))
    return rows


def table(rows: list[dict[str, str | float]]) -> str:
    """Rows as aligned text."""
    cells = [list(rows[0]), *[[str(value) for value in entry.values()] for entry in rows]]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return "\n".join(
        "  ".join(text.rjust(width) for text, width in zip(line, widths, strict=True)) for line in cells
    )


def main(options: Options) -> None:
    """Measure, print, and write what was asked for."""
    rows = asyncio.run(measure(options))
    print(table(rows))
    if options.json is not None:
        with atomic_write(options.json) as file:
            file.write(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main(tyro.cli(Options))
