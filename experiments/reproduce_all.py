"""Every table and figure of the paper, from a config alone.

    python experiments/reproduce_all.py --config cpu                  # the built-in example: about an hour on two cores
    python experiments/reproduce_all.py --config qwen2_5_math_7b      # the real thing, on a pod

Goes on where it stopped: the run (`evolve.py`), the runs of other base models on its last round's data, the models that
only a table needs, all evaluations; then writes RUN_DIR/reproduction/report, and counts self-reflections. With --report
it runs nothing. On several hosts: finish the runs with `drive.py`, train what tables need with this command on one
host, then start it on each with --shard I/N, and once more with --report.

Hardware: two CPU cores and 6 GB of memory for `cpu`; that of the run otherwise.
"""

from __future__ import annotations

import asyncio
import dataclasses

import tyro
from analysis.self_reflection import Options as Reflections
from analysis.self_reflection import analyse
from common import COMPILED, Flags, checked_config, in_lab, load_study, run_dir
from reproduction_script import Options, flags_of, go, other_flags
from start_from import start_from

from rstar_jax.errors import run_main
from rstar_jax.evolution.lab import Lab
from rstar_jax.evolution.machine import next_stage, run_stage
from rstar_jax.evolution.stages import set_up_jax
from rstar_jax.search.progress import say


@dataclasses.dataclass(frozen=True)
class AllOptions(Options):
    """only_evaluate: leave out runs that are not finished instead of finishing them."""

    only_evaluate: bool = False


def finish_runs(flags: Flags) -> None:
    """The main run of a seed, and those of the other base models."""
    finish(flags)
    last = checked_config(flags).rounds[-1].number
    for other in load_study(flags.config).others:
        own = other_flags(flags, other.config)
        if not run_dir(own).summary.exists():
            checked_config(own)
            start_from(run_dir(own), run_dir(flags), last)
            finish(own)


def finish(flags: Flags) -> None:
    """A run, stage by stage."""

    async def stages(lab: Lab) -> None:
        while (stage := next_stage(lab.config, lab.run)) is not None:
            say(f"=== {lab.config.name}, seed {lab.config.seed}: {stage} ===")
            await run_stage(lab, stage)

    if not run_dir(flags).summary.exists():
        asyncio.run(in_lab(flags, stages))


def reproduce(options: AllOptions) -> None:
    if not options.report and not options.only_evaluate:
        set_up_jax(COMPILED)
        for seed in options.seeds:
            finish_runs(flags_of(options, seed))
    go(options, ())
    for seed in options.seeds:
        analyse(Reflections(run_dir(flags_of(options, seed)).root))


if __name__ == "__main__":
    chosen = tyro.cli(AllOptions, description=__doc__)
    run_main(lambda: reproduce(chosen))
