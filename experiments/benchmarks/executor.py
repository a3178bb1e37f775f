"""What a code step costs: the executor against three simpler ways to run it, in one run.

    python experiments/benchmarks/executor.py [--quick] [--json FILE] [--cells N] [--require-sandbox]

A program's steps are run as search runs them: each expansion runs some siblings of the next step, then goes on
below one of them. Ways:

* `executor`: `ExecutorPool`, sandboxed; states are forked and kept;
* `replay`: the same with nothing kept: the history is replayed once per expansion, siblings are forked (c);
* `warm process`: history and step again for each sibling by `exec` in one process, as the released code does;
  nothing is isolated, nothing is limited, libraries keep their caches (a);
* `fresh process`: a new interpreter for each step (b), on a few expansions.

Workloads: generated programs (`light`: only `math`; `sympy`; `heavy`: with a loop of 0.05 to 0.5 s), and the code
blocks of the released examples in `--official`, where that folder exists.

Columns: steps/s with all cells at work (the other ways have one process); CPU per step of all processes; `own`: that
less the CPU of the step alone, run once in a warm process with empty caches; p50 and p99 of a step's share of its
expansion's time, one expansion at a time.

Then what a paused state costs in memory, what a fork costs in the kernel (the floor under `own`), and the goals.
Hardware: any Linux machine; two CPU cores are enough. Under a minute with --quick, about 15 minutes without.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import io
import itertools
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import psutil
import tyro
from executor_programs import Program, generate, official
from process_family import below

from rstar_jax.execution import ExecutorConfig, ExecutorPool
from rstar_jax.execution.cell.memory import proportional_bytes
from rstar_jax.files import write_json

Expansion = tuple[tuple[str, ...], list[str]]
Run = Callable[[Expansion], Awaitable[None]]
WIDTHS = (1, 8, 32)
COUNTS = {"light": (80, 20, 8), "sympy": (80, 20, 6), "heavy": (40, 6, 2), "official": (99, 99, 20)}  # by width
QUICK_COUNTS = {"light": (12, 4, 1), "sympy": (6, 2, 1), "heavy": (4, 1, 0), "official": (8, 2, 0)}
FRESH_EXPANSIONS = {False: 12, True: 4}
PAUSED = {False: 1000, True: 100}


@dataclasses.dataclass(frozen=True)
class Options:
    """Command-line options."""

    quick: bool = False  # fewer programs
    json: Path | None = None  # also write the figures to this file, as one flat object
    cells: int = 2  # expansions at a time in the throughput column
    require_sandbox: bool = False  # refuse to run where the sandbox would have a hole
    official: Path = Path("../shared/data/official")  # left out where it does not exist


@dataclasses.dataclass(frozen=True)
class Row:
    """One way on one workload. Times in milliseconds."""

    workload: str
    siblings: int
    way: str
    steps: int
    steps_per_s: float
    cpu_ms: float
    own_ms: float
    p50_ms: float
    p99_ms: float


def expansions(program: Program, siblings: int, mark: str = "") -> list[Expansion]:
    """A walk down the program. Siblings are the same step with different comments; it goes on below the first."""
    steps = [[f"{step.rstrip()}  # {mark}{k}\n" for k in range(siblings)] for step in program]
    history = [variants[0] for variants in steps]
    return [(tuple(history[:depth]), variants) for depth, variants in enumerate(steps)]


async def in_warm_process(expansion: Expansion) -> None:
    """Run each concatenation by exec, here. A failing step costs what it costs."""
    history, snippets = expansion
    for snippet in snippets:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(Exception):
            exec("".join((*history, snippet)), {"__name__": "__main__"})


async def in_fresh_process(expansion: Expansion) -> None:
    """Run the first sibling's concatenation in an interpreter of its own."""
    history, snippets = expansion
    program = "".join((*history, snippets[0]))
    subprocess.run([sys.executable, "-c", program], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def alone_ms(walks: list[list[Expansion]]) -> float:
    """Mean CPU milliseconds of one step after its history, each run once."""
    times = []
    for walk in walks:
        if "sympy" in sys.modules:
            sys.modules["sympy"].core.cache.clear_cache()
        namespace = {"__name__": "__main__"}
        for _, snippets in walk:
            started = time.process_time()
            with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(Exception):
                exec(snippets[0], namespace)
            times.append((time.process_time() - started) * 1e3)
    return statistics.fmean(times)


def family_cpu(tops: list[int]) -> float:
    """CPU seconds of processes and all their descendants, those that have ended included."""
    total = 0.0
    for process in [psutil.Process(top) for top in tops] + below(tops):
        with contextlib.suppress(psutil.NoSuchProcess, FileNotFoundError, ProcessLookupError):
            ended = process.cpu_times()
            # Finer than the hundredths of a second that psutil reads.
            own = int(Path(f"/proc/{process.pid}/schedstat").read_text().split()[0]) / 1e9
            total += own + ended.children_user + ended.children_system
    return total


def percentile(values: list[float], share: float) -> float:
    return sorted(values)[min(int(share * len(values)), len(values) - 1)]


async def in_turn(run: Run, walks: list[list[Expansion]], steps_each: int) -> list[float]:
    """Milliseconds per step of each expansion, one at a time."""
    times = []
    for expansion in itertools.chain.from_iterable(walks):
        started = time.perf_counter()
        await run(expansion)
        times.append((time.perf_counter() - started) * 1e3 / steps_each)
    return times


async def of_a_process(workload: str, siblings: int, way: str, run: Run, walks: list[list[Expansion]]) -> Row:
    """A row of a way that has one process."""
    each = siblings if way == "warm process" else 1
    own, children = time.process_time(), sum(os.times()[2:4])
    times = await in_turn(run, walks, each)
    cpu = time.process_time() - own + sum(os.times()[2:4]) - children
    return _row(workload, siblings, way, times, each * len(times) / (sum(times) * each / 1e3), cpu, 0.0, each)


async def of_the_executor(
    workload: str, siblings: int, way: str, config: ExecutorConfig, programs: list[Program], alone: float
) -> Row:
    """A row of the executor: CPU and throughput with all cells at work, then latency."""
    async with ExecutorPool(config) as pool:

        async def run(expansion: Expansion) -> None:
            await pool.expand(*expansion)

        async def descend(walk: list[Expansion]) -> None:
            for expansion in walk:
                await run(expansion)

        libraries = [f"import {name}  # {k}" for name in ("sympy", "scipy") for k in range(config.cells)]
        await asyncio.gather(*[pool.expand((), [library]) for library in libraries])  # every cell loads both
        walks = [expansions(program, siblings) for program in programs]
        before = time.process_time() + family_cpu(pool.cell_pids)
        started = time.perf_counter()
        await asyncio.gather(*map(descend, walks))
        seconds = time.perf_counter() - started
        cpu = time.process_time() + family_cpu(pool.cell_pids) - before
        again = [expansions(program, siblings, "again ") for program in programs]
        times = await in_turn(run, again, siblings)
    return _row(workload, siblings, way, times, len(times) * siblings / seconds, cpu, alone, siblings)


def _row(
    workload: str, siblings: int, way: str, times: list[float], rate: float, cpu: float, alone: float, each: int
) -> Row:
    steps = len(times) * each
    cpu_ms = cpu / steps * 1e3
    figures = (rate, cpu_ms, cpu_ms - alone, percentile(times, 0.5), percentile(times, 0.99))
    return Row(workload, siblings, way, steps, *(round(value, 3) for value in figures))


async def compare(options: Options) -> list[Row]:
    """All rows."""
    kept = ExecutorConfig(cells=options.cells, cpu_seconds=20, wall_seconds=60, require_sandbox=options.require_sandbox)
    nothing_kept = dataclasses.replace(kept, snapshots=0)
    rows = []
    for workload, counts in (QUICK_COUNTS if options.quick else COUNTS).items():
        for siblings, count in zip(WIDTHS, counts, strict=True):
            programs = official(options.official)[:count] if workload == "official" else generate(workload, count)
            if not programs:
                continue
            walks = [expansions(program, siblings) for program in programs]
            await in_warm_process(walks[0][0])  # imports
            alone = alone_ms(walks)
            some = [list(itertools.chain.from_iterable(walks))[: FRESH_EXPANSIONS[options.quick]]]
            rows += [
                await of_the_executor(workload, siblings, "executor", kept, programs, alone),
                await of_the_executor(workload, siblings, "replay", nothing_kept, programs, alone),
                await of_a_process(workload, siblings, "warm process", in_warm_process, walks),
                await of_a_process(workload, siblings, "fresh process", in_fresh_process, some),
            ]
            print(*lines(rows[-4:], heading=len(rows) == 4), sep="\n", flush=True)
    return rows


async def memory(quick: bool, source: str) -> dict[str, float]:
    """Megabytes of a paused state that a step has left, by two measures, and how many fit a gigabyte."""
    count = PAUSED[quick]
    async with ExecutorPool(ExecutorConfig(cells=1, snapshots=2 * count, snapshot_mb=16_384)) as pool:
        await pool.expand((), [source])
        await asyncio.sleep(2)  # until what earlier pools held is free again
        before = psutil.virtual_memory().available
        await pool.expand((source,), [f"x = {k}\nprint(x)\n" for k in range(count)])
        used = (before - psutil.virtual_memory().available) / 1e6 / count
        estimated = pool.metrics.snapshot_bytes / pool.metrics.snapshots / 1e6
        nodes = [process for process in below(pool.cell_pids) if not process.children()]
        exact = statistics.fmean(proportional_bytes(process.pid) or 0 for process in nodes) / 1e6
    return {"pss_mb": exact, "pss_estimated_mb": estimated, "mem_available_mb": used, "states_per_gb": 1e3 / used}


def fork_floor(workload: str) -> dict[str, float]:
    """What `executor_forks.py` prints for a workload."""
    script = Path(__file__).with_name("executor_forks.py")
    environment = {**os.environ, "PYTHONHASHSEED": "0", "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, script, workload], check=True, capture_output=True, env=environment)
    return json.loads(done.stdout)


def goals(rows: list[Row]) -> dict[str, float]:
    """The figures that have a goal: the best and the worst over the numbers of siblings."""
    by = {(row.workload, row.siblings, row.way): row for row in rows}
    found = {}
    for workload, siblings in dict.fromkeys((row.workload, row.siblings) for row in rows):
        ours = by[workload, siblings, "executor"]
        for way in ("warm process", "fresh process", "replay"):
            ratio = ours.steps_per_s / by[workload, siblings, way].steps_per_s
            found[f"{workload}, {siblings} siblings: times as fast as a {way}"] = ratio
        found[f"{workload}, {siblings} siblings: own CPU ms"] = ours.own_ms
    return found


GOALS = {"heavy": ("warm process", 5.0), "light": ("own CPU ms", 1.0), "sympy": ("own CPU ms", 3.0)}


def verdicts(found: dict[str, float]) -> list[str]:
    """One line for each figure, with its goal where there is one."""
    out = []
    for name, value in found.items():
        part, goal = GOALS.get(name.split(",")[0], ("", 0.0))
        goal = 50.0 if "fresh process" in name else goal if part and part in name else 0.0
        met = (value <= goal if "own" in name else value >= goal) if goal else None
        said = "" if met is None else f"   goal {goal:g}: {'met' if met else 'NOT met'}"
        out.append(f"{name:55} {value:9.2f}{said}")
    return out


def lines(rows: list[Row], heading: bool = True) -> list[str]:
    """Rows as aligned text."""
    names = [field.name for field in dataclasses.fields(Row)]
    table = [names] if heading else []
    table += [[str(value) for value in dataclasses.astuple(row)] for row in rows]
    widths = [max(len(name), 13) if name in ("workload", "way") else max(len(name), 9) for name in names]
    return ["  ".join(text.rjust(width) for text, width in zip(line, widths, strict=True)) for line in table]


def main(options: Options) -> None:
    """Measure, print, and write what was asked for."""
    rows = asyncio.run(compare(options))
    flat: dict[str, float] = {}
    for row in rows:
        name = f"{row.workload}_{row.siblings}_{row.way.replace(' ', '_')}"
        flat |= {f"{name}_{key}": value for key, value in dataclasses.asdict(row).items() if isinstance(value, float)}
    for workload, source in {"light": "import math\n", "sympy": "import sympy\n"}.items():
        figures = {**asyncio.run(memory(options.quick, source)), **fork_floor(workload)}
        flat |= {f"{workload}_{key}": round(value, 3) for key, value in figures.items()}
        print(f"\n{workload}: " + ", ".join(f"{key} {value:.3g}" for key, value in figures.items()))
    found = goals(rows)
    print("", *verdicts(found), sep="\n")
    if options.json is not None:
        write_json(options.json, flat | {name: round(value, 3) for name, value in found.items()})


if __name__ == "__main__":
    main(tyro.cli(Options))
