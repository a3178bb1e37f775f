"""Does the executor stay right, fast and small over a hundred thousand steps, a twentieth of them hostile?

    python experiments/benchmarks/executor_soak.py [--quick] [--steps N] [--json FILE] [--cells N]

First runs each of its expansions alone; then draws from them at random, puts hostile steps (`hostile.py`) between the
siblings, and compares every result with that of the expansion alone. Prints a line each time a twentieth is done: steps
per second, the parent's memory and descriptors, and the number and memory of the processes under it. At the end looks
for processes and descriptors left. Exits with 1 when a result differs or something is left or grows.

Hardware: any Linux machine; two CPU cores are enough. Takes half a minute with --quick, ten to twenty minutes without.
Expected: no difference, nothing left; memory level after the first tenth, while caches fill.
"""

from __future__ import annotations

import asyncio
import collections
import dataclasses
import os
import random
import time
from pathlib import Path

import tyro
from hostile import HOSTILE
from process_family import HEADER, Sample, processes_left

from rstar_jax.errors import run_main
from rstar_jax.execution import ExecutorConfig, ExecutorPool
from rstar_jax.execution.cell import system
from rstar_jax.files import write_json
from rstar_jax.search.protocols import Execution

HOSTILE_SHARE = 0.05
COSTLY_SHARE = 0.02  # of the hostile steps; each of these takes a second
REPORTS = 20
GROWTH_MB = 30.0  # of the parent, after the first tenth; more counts as a leak
PATIENCE = 5.0  # seconds for processes to go once the pool is closed

Expansion = tuple[tuple[str, ...], tuple[str, ...]]


@dataclasses.dataclass(frozen=True)
class Options:
    """Command-line options."""

    steps: int = 100_000
    quick: bool = False  # 2,000 steps
    cells: int = 2  # expansions at a time
    seed: int = 0
    json: Path | None = None  # also write the figures to this file


def expansions() -> list[Expansion]:
    """All that is drawn from: the nodes of 40 programs, each with four siblings."""
    found = []
    for k in range(40):
        library = ("math", "fractions", "random", "sympy")[k % 4 if k % 8 < 4 else 0]
        steps = (
            f"import {library}\nx = {k} + 3\n",
            "def f(n):\n    return [d for d in range(1, n + 1) if n % d == 0]\n",
            "total = 0\nfor d in f(x * 12):\n    total += d\n",
            "import random\nrandom.seed(x)\nsample = [random.randint(1, 9) for _ in range(5)]\n",
            "g = (d * d for d in sample)\nfirst = next(g)\n",
        )
        for depth in range(len(steps)):
            here = steps[depth]
            siblings = (here, f"{here}print(x, {{'b', 'a'}})\n", f"print(x * {k}, 1 / 3)\n", "print(total, sample)\n")
            found.append((steps[:depth], siblings))
    return found


class Soak:
    """A run: draws, compares and keeps the books."""

    def __init__(self, pool: ExecutorPool, right: dict[Expansion, list[Execution]], seed: int) -> None:
        self._pool = pool
        self._right = right
        self._random = random.Random(seed)
        self._all = list(right)
        self.steps = self.hostile_steps = 0
        self.differences: list[str] = []
        self.outcomes: collections.Counter[str] = collections.Counter()

    async def expand_one(self) -> None:
        """One expansion, with or without uninvited siblings."""
        history, wanted = expansion = self._random.choice(self._all)
        snippets: list[tuple[str, Execution | None]] = list(zip(wanted, self._right[expansion], strict=True))
        for place in range(len(snippets), -1, -1):
            if self._random.random() < HOSTILE_SHARE:
                snippets.insert(place, (self._hostile(), None))
        results = await self._pool.expand(history, [code for code, _ in snippets])
        for (code, right), result in zip(snippets, results, strict=True):
            self.steps += 1
            self.hostile_steps += right is None
            self.outcomes[result.outcome] += right is None
            if right is not None and result != right:
                self.differences.append(f"{history!r} {code!r}: {result} instead of {right}")

    def _hostile(self) -> str:
        costly = self._random.random() < COSTLY_SHARE
        return self._random.choice([hostile.code for hostile in HOSTILE if hostile.costly is costly])


async def alone(options: Options) -> dict[Expansion, list[Execution]]:
    """What each expansion gives where nothing hostile runs."""
    async with ExecutorPool(ExecutorConfig(cells=options.cells)) as pool:
        every = expansions()
        results = await asyncio.gather(*[pool.expand(*expansion) for expansion in every])
    return dict(zip(every, results, strict=True))


async def soak(options: Options) -> tuple[Soak, list[Sample]]:
    """The run, and what was seen on the way."""
    steps = min(options.steps, 2_000) if options.quick else options.steps
    right = await alone(options)
    config = ExecutorConfig(cells=options.cells, cpu_seconds=1, wall_seconds=3.0, memory_mb=512)
    async with ExecutorPool(config) as pool:
        run = Soak(pool, right, options.seed)
        samples = [Sample.take(0, 0.0)]
        print(HEADER)
        for goal in range(steps // REPORTS, steps + 1, steps // REPORTS):
            started, before = time.monotonic(), run.steps

            async def lane(goal: int = goal) -> None:
                while run.steps < goal:
                    await run.expand_one()

            await asyncio.gather(*[lane() for _ in range(2 * options.cells)])
            samples.append(Sample.take(run.steps, (run.steps - before) / (time.monotonic() - started)))
            print(samples[-1], flush=True)
    return run, samples


def main(options: Options) -> int:
    """Run, print the verdict, and say by the exit code whether all was well."""
    system.adopt_orphans()  # so that none slips out of sight
    descriptors = len(os.listdir("/proc/self/fd"))
    run, samples = asyncio.run(soak(options))
    left = processes_left(PATIENCE)
    descriptors_left = len(os.listdir("/proc/self/fd")) - descriptors
    growth = samples[-1].parent_mb - samples[max(1, len(samples) // 10)].parent_mb
    figures = {
        "steps": run.steps,
        "hostile_steps": run.hostile_steps,
        "differences": len(run.differences),
        "steps_per_s": round(sum(s.steps_per_s for s in samples[1:]) / (len(samples) - 1), 1),
        "parent_growth_mb": round(growth, 1),
        "cells_mb_largest": max((s.cells_mb for s in samples), default=0.0),
        "processes_left": left,  # zombies included
        "descriptors_left": descriptors_left,
    }
    print(*(f"{name:18} {value}" for name, value in figures.items()), sep="\n")
    print("hostile steps ended as", dict(run.outcomes))
    print(*run.differences[:5], sep="\n")
    if options.json is not None:
        write_json(options.json, figures)
    return int(bool(run.differences) or left + descriptors_left > 0 or growth > GROWTH_MB)


if __name__ == "__main__":
    run_main(lambda: main(tyro.cli(Options)))
