"""What the scripts of tables and figures share: flags, the runs behind a config, what is run, what is written."""

from __future__ import annotations

import asyncio
import dataclasses
import pathlib
import re
from collections.abc import Sequence

import tyro
from common import COMPILED, Flags, checked_config, in_lab, load_config, load_study, run_dir

from rstar_jax.errors import InputError, run_main
from rstar_jax.evaluation import render
from rstar_jax.evaluation.tables import Table
from rstar_jax.evolution.lab import Lab
from rstar_jax.evolution.run_dir import RunDir
from rstar_jax.evolution.stages import set_up_jax
from rstar_jax.reproduction.plan import MAIN, StudyPlan
from rstar_jax.reproduction.report import choose, write_reports
from rstar_jax.reproduction.study import Study
from rstar_jax.reproduction.work import Job, Run, do_jobs, read_seed
from rstar_jax.search.progress import say
from rstar_jax.search.runner import Share

_SHARD = re.compile(r"(\d+)/(\d+)")


@dataclasses.dataclass(frozen=True)
class Options:
    """config: of the main run, as for evolve.py. seeds: one run each, which has to be finished; intervals are over
    seeds and problems. run_dir: instead of runs/CONFIG-sSEED, for a single seed; runs of other base models lie beside.

    report: run nothing, only write what there is. shard: "I/N": of N processes, each evaluates its share of the
    problems; models that only a table needs have to be trained before, by one process without --shard. out: folder of
    the report; by default RUN_DIR/reproduction/report.
    """

    config: str = "cpu"
    seeds: tuple[int, ...] = (0,)
    run_dir: pathlib.Path | None = None
    report: bool = False
    shard: str = "0/1"
    benchmarks: pathlib.Path | None = None
    only: tuple[str, ...] = ()
    out: pathlib.Path | None = None
    mesh: tuple[int, int, int] = (1, 1, 1)  # sizes of the axes data, fsdp, tensor
    require_sandbox: bool = False


def main(names: Sequence[str], doc: str | None) -> None:
    """The entry point of a table's or a figure's script."""
    options = tyro.cli(Options, description=doc)
    run_main(lambda: go(options, names))


def go(options: Options, names: Sequence[str]) -> None:
    """Run what these tables and figures need, unless only a report is wanted, and write them."""
    plan, seeds = plan_of(options), [flags_of(options, seed) for seed in options.seeds]
    if options.run_dir is not None and len(seeds) > 1:
        raise InputError("--run-dir names the run of one seed; leave it out for several")
    wanted = choose(plan, Run(checked_config(seeds[0]), run_dir(seeds[0])).rounds, names)
    jobs = [job for job in wanted.jobs if not options.only or job.benchmark in options.only]
    if not options.report:
        set_up_jax(COMPILED)
        for flags in seeds:
            work(flags, plan, jobs, share_of(options.shard))
    study = read_study(seeds, plan, jobs)
    out = options.out or run_dir(seeds[0]).root / "reproduction" / "report"
    show(write_reports(study, wanted, out), out)


def plan_of(options: Options) -> StudyPlan:
    """The config's plan, with the benchmarks that the command line names."""
    plan = load_study(options.config)
    known = {column.benchmark for column in (*plan.columns, *([plan.omni] if plan.omni else []))}
    unknown = sorted(set(options.only) - known)
    if unknown:
        names = ", ".join(sorted(known))
        raise InputError(f"--only {unknown[0]}: {options.config} has no such benchmark; known are {names}")
    return plan if options.benchmarks is None else dataclasses.replace(plan, benchmarks=str(options.benchmarks))


def flags_of(options: Options, seed: int) -> Flags:
    """Of the main run of a seed."""
    return Flags(options.config, seed, options.run_dir, options.mesh, options.require_sandbox)


def other_flags(flags: Flags, config: str) -> Flags:
    """Of the run of another base model, which has the same preset and lies beside."""
    preset = flags.config.partition(":")[2]
    name = f"{config}:{preset}" if preset else config
    if flags.run_dir is None:
        return dataclasses.replace(flags, config=name)
    beside = f"{flags.run_dir.name}-{pathlib.Path(config).stem}"
    return dataclasses.replace(flags, config=name, run_dir=flags.run_dir.with_name(beside))


def work(flags: Flags, plan: StudyPlan, jobs: Sequence[Job], share: Share) -> None:
    """Run what is missing of one seed: of the main run, then of the others that are there."""
    by_run: dict[str, list[Job]] = {}
    for job in jobs:
        by_run.setdefault(job.run, []).append(job)
    for name, todo in by_run.items():
        own = flags if name == MAIN else other_flags(flags, name)
        if not run_dir(own).summary.exists():
            if name == MAIN:
                root = run_dir(own).root
                raise InputError(f"{root}: this run is not finished; evolve.py --config {own.config} goes on with it")
            say(f"{name}: {run_dir(own).root} is not finished, so its rows say that they were not run")
            continue

        async def do(lab: Lab, todo: list[Job] = todo) -> None:
            await do_jobs(lab, plan, todo)

        asyncio.run(in_lab(own, do, share))


def read_study(seeds: Sequence[Flags], plan: StudyPlan, jobs: Sequence[Job]) -> Study:
    """What is finished, of every seed."""
    return Study(plan, [read_seed(flags.seed, plan, runs_of(flags, plan), jobs) for flags in seeds])


def runs_of(flags: Flags, plan: StudyPlan) -> dict[str, Run]:
    """The runs that are there, by name."""
    found = {MAIN: Run(load_config(flags.config, flags.seed), existing(run_dir(flags)))}
    for other in plan.others:
        own = other_flags(flags, other.config)
        if run_dir(own).config.exists():
            found[other.config] = Run(load_config(own.config, own.seed), run_dir(own))
    return found


def existing(run: RunDir) -> RunDir:
    if not run.config.exists():
        raise InputError(f"{run.root}: no run is there")
    return run


def share_of(text: str) -> Share:
    found = _SHARD.fullmatch(text)
    if found is None:
        raise InputError(f'--shard {text}: write it as I/N, for example "0/4"')
    return Share(int(found[1]), int(found[2]))


def show(written: tuple[list[Table], list[str]], out: pathlib.Path) -> None:
    tables, files = written
    if tables:
        print(render.text(tables))
    say(f"written to {out}: {', '.join(files)}")

