"""Four rounds of self-evolution (section 3.4.2), and the paper's tables in small.

    python experiments/evolve.py --config cpu

Hardware: two CPU cores, 6 GB of memory, about a quarter of an hour for the built-in example. The same command continues
a run that was interrupted. At the end: tables and plots in RUN_DIR/report.
"""

from __future__ import annotations

import asyncio
import resource
import time

import round1_bootstrap
import round2_reliable_ppm
import round3_ppm_search
import round4_hard_problems
import tyro
from common import COMPILED, Flags, checked_config, in_lab, run_dir

from rstar_jax.errors import run_main
from rstar_jax.evaluation.report import print_report
from rstar_jax.evaluation.summary import read_summary
from rstar_jax.evolution.evaluations import BASE
from rstar_jax.evolution.lab import Lab
from rstar_jax.evolution.machine import Stage, run_stage
from rstar_jax.evolution.stages import set_up_jax
from rstar_jax.search.progress import say

ROUNDS = (round1_bootstrap, round2_reliable_ppm, round3_ppm_search, round4_hard_problems)


async def evolve(lab: Lab) -> None:
    start = time.monotonic()
    for number, script in enumerate(ROUNDS[: len(lab.config.rounds)], start=1):
        say(f"\n=== round {number} of {len(lab.config.rounds)} [{time.monotonic() - start:.0f} s] ===")
        await script.run(lab)
    await run_stage(lab, Stage("evaluation", BASE))
    await run_stage(lab, Stage("report", BASE))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6  # Linux counts in kilobytes
    say(f"\nfinished after {time.monotonic() - start:.0f} s; this process held {peak:.1f} GB at most")


def go() -> None:
    flags = tyro.cli(Flags, description=__doc__)
    run = run_dir(flags)
    checked_config(flags)
    if run.summary.exists():
        say(f"{run.root} is finished; this is its report.")
    else:
        set_up_jax(COMPILED)
        asyncio.run(in_lab(flags, evolve))
    print_report(read_summary(run.summary))
    say(f"tables and plots: {run.report}; all of it as one page: {run.report / 'report.html'}")


if __name__ == "__main__":
    run_main(go)
