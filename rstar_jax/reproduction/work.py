"""What tables need, in an order in which it can be done, and what of it is there."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence

from rstar_jax.evaluation.summary import Coverage
from rstar_jax.evolution.config import EvolutionConfig
from rstar_jax.evolution.lab import Lab
from rstar_jax.evolution.run_dir import RunDir
from rstar_jax.evolution.summarise import coverage
from rstar_jax.files import local_path
from rstar_jax.problems.benchmarks import BENCHMARKS, load_benchmark
from rstar_jax.problems.files import read_problems
from rstar_jax.problems.problem import Problem
from rstar_jax.reproduction.ablations import ensure_model
from rstar_jax.reproduction.evaluations import Evaluation, result_of, run_evaluation
from rstar_jax.reproduction.plan import HELD_OUT, MAIN, Column, StudyPlan
from rstar_jax.reproduction.specs import Rounds
from rstar_jax.reproduction.study import SeedResults
from rstar_jax.reproduction.ways import Way
from rstar_jax.search.progress import say
from rstar_jax.search.shards import summary_of

_ORDER = ("greedy", "samples", "scored", "search")  # samples before their scores


@dataclasses.dataclass(frozen=True)
class Job:
    """An evaluation on a benchmark by the models of a run ("main", or the config of another one)."""

    run: str
    benchmark: str
    evaluation: Evaluation


@dataclasses.dataclass(frozen=True)
class Run:
    """A run's config and directory."""

    config: EvolutionConfig
    folder: RunDir

    @property
    def rounds(self) -> Rounds:
        numbers = tuple(round.number for round in self.config.rounds)
        searchers = tuple(round.searchers for round in self.config.rounds)
        return Rounds(numbers, searchers, self.config.evaluation.fixed_policy)


def jobs(ways: Iterable[Way], columns: Sequence[Column]) -> list[Job]:
    """What has to be run for these ways on these columns, each once, in order."""
    found = set()
    for way in ways:
        for benchmark in {column.benchmark for column in columns}:
            found.add(Job(way.run, benchmark, way.evaluation))
            if way.evaluation.kind == "scored":
                found.add(Job(way.run, benchmark, way.evaluation.samples))
    return in_order(found)


def in_order(found: Iterable[Job]) -> list[Job]:
    """Main run first, and of each run what others depend on."""

    def key(job: Job):
        one = job.evaluation
        place = _ORDER.index(one.kind)
        return job.run != MAIN, job.run, place, one.policy, one.scorer or "", one.variant, job.benchmark

    return sorted(set(found), key=key)


def problems_of(plan: StudyPlan, run: RunDir, benchmark: str) -> list[Problem]:
    """A benchmark by name, from the plan's folder if its file is there, else the Hub; or the run's own problems."""
    if benchmark == HELD_OUT:
        return read_problems(run.problems / "test.jsonl")
    here = plan.benchmarks is not None and (local_path(plan.benchmarks) / BENCHMARKS[benchmark].file).exists()
    return load_benchmark(benchmark, plan.benchmarks if here else None)


async def do_jobs(lab: Lab, plan: StudyPlan, todo: Sequence[Job]) -> None:
    """Run what is missing of the jobs of this lab's run, training what they need first. All of it is resumable."""
    sets: dict[str, list[Problem]] = {}
    for number, job in enumerate(todo, start=1):
        say(f"[{number}/{len(todo)}] {job.benchmark}: {job.evaluation.name}")
        for model in filter(None, (job.evaluation.policy, job.evaluation.scorer)):
            await ensure_model(lab, plan, model)
        if job.benchmark not in sets:
            sets[job.benchmark] = problems_of(plan, lab.run, job.benchmark)
        await run_evaluation(lab, plan, job.evaluation, job.benchmark, sets[job.benchmark])


def read_seed(seed: int, plan: StudyPlan, runs: Mapping[str, Run], todo: Sequence[Job]) -> SeedResults:
    """What is finished of these jobs, and the coverage of the main run's rounds. Runs that are not there are skipped.

    Raises InputError: an evaluation was made with other settings.
    """
    main = runs[MAIN]
    problems = {name: problems_of(plan, main.folder, name) for name in dict.fromkeys(job.benchmark for job in todo)}
    found = {}
    for job in todo:
        run = runs.get(job.run)
        if run is None:
            continue
        result = result_of(run.config, run.folder, plan, job.evaluation, job.benchmark, problems[job.benchmark])
        if result is not None:
            found[job.run, job.benchmark, job.evaluation] = result
    return SeedResults(seed, problems, found, _coverage(main))


def _coverage(run: Run) -> dict[int, Mapping[str, Coverage]]:
    numbers = [number for number in run.rounds.numbers if run.folder.has_data(number)]
    return {number: coverage(summary_of(run.folder.trees(number))) for number in numbers}
