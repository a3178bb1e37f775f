"""Is the PPM of a later round the better judge? Every round's PPM on the same solutions of one policy.

    python experiments/benchmarks/ppm_rounds.py [--runs RUN_DIR ...] [--quick] [--json FILE]

The policy of round 1 solves problems that no run has seen, eight times each, and the PPM of every round scores these
solutions. Prints two shares: of the pairs (a right and a wrong solution of one problem) that a PPM orders rightly; and
of the problems for which the solution that it scores highest is right (best of 8). Strict grader; 95 % bootstrap over
runs and problems. The evaluation inside a run compares PPMs too, by search, but on 156 problems.

Reads finished runs of `experiments/evolve.py --config cpu`; four minutes for each on two CPU cores.
"""

from __future__ import annotations

import asyncio
import dataclasses
import itertools
import statistics
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import tyro

sys.path.insert(0, str(Path(__file__).parents[1]))

from common import load_config

from rstar_jax.errors import InputError, run_main
from rstar_jax.evaluation.intervals import Interval, bootstrap_seeds
from rstar_jax.evolution.lab import Lab, open_lab
from rstar_jax.evolution.run_dir import RunDir, claim
from rstar_jax.evolution.stages import set_up_jax
from rstar_jax.files import read_json, write_json
from rstar_jax.models.sharding import make_mesh
from rstar_jax.problems.problem import Problem
from rstar_jax.problems.reasoning_gym import make_split
from rstar_jax.problems.splits import normalised_question
from rstar_jax.search.protocols import sample_key
from rstar_jax.search.sampling import Sample, sample_trajectory

ROOT = Path(__file__).parents[2]
FRESH_SEED = 1_000  # of the problems; runs have small seeds
SAMPLES = 8


@dataclasses.dataclass(frozen=True)
class Options:
    """Command-line options."""

    runs: tuple[Path, ...] = tuple(ROOT / "runs" / f"cpu-s{seed}" for seed in (0, 1, 2))
    per_level: int = 40  # fresh problems of each family and level
    quick: bool = False  # one run, and a twentieth of the problems
    json: Path | None = None  # also write the figures to this file


@dataclasses.dataclass(frozen=True)
class Judgement:
    """What a PPM made of one problem's solutions. ordered: share of its mixed pairs; None if it has none."""

    ordered: float | None
    best: float


def judge(scores: Sequence[float], right: Sequence[bool]) -> Judgement:
    """Of one problem: scores of its finished solutions, the policy's own order, and which are right."""
    good = [score for score, flag in zip(scores, right, strict=True) if flag]
    bad = [score for score, flag in zip(scores, right, strict=True) if not flag]
    pairs = [float(a > b) + 0.5 * (a == b) for a, b in itertools.product(good, bad)]
    best = right[max(range(len(scores)), key=scores.__getitem__)] if scores else False
    return Judgement(statistics.fmean(pairs) if pairs else None, float(best))


def fresh_problems(lab: Lab, per_level: int) -> list[Problem]:
    """Problems that the run neither trained nor was tested on."""
    seen = {normalised_question(problem.question) for part in lab.problems for problem in part}
    drawn, _ = make_split(per_level, 0, FRESH_SEED)
    return [problem for problem in drawn if normalised_question(problem.question) not in seen]


async def solve(lab: Lab, problems: Sequence[Problem], policy: int) -> list[tuple[Sample, bool]]:
    """Finished solutions of a round's policy, `SAMPLES` tries per problem, and whether they are right."""
    async with lab.policy(lab.run.policy(policy)) as (_, sampler):
        tries = [
            sample_trajectory(problem, sampler, lab.executor, sample_key(FRESH_SEED, problem.id, index))
            for problem in problems
            for index in range(SAMPLES)
        ]
        finished = [sample for sample in await asyncio.gather(*tries) if sample.answer]
    grades = [lab.graders.strict.grade(sample.answer, sample.path.problem.answer) for sample in finished]
    return list(zip(finished, await asyncio.gather(*grades), strict=True))


async def judgements(lab: Lab, per_level: int) -> dict[int, list[Judgement]]:
    """By round, what its PPM makes of every fresh problem's solutions."""
    problems = fresh_problems(lab, per_level)
    solutions = await solve(lab, problems, lab.config.evaluation.fixed_policy)
    paths = [sample.path for sample, _ in solutions]
    found = {}
    for round in lab.config.rounds:
        async with lab.scorer(lab.run.ppm(round.number)) as scorer:
            scores = await scorer.score(paths)
        by_problem: dict[str, list[tuple[float, bool]]] = defaultdict(list)
        for score, (sample, right) in zip(scores, solutions, strict=True):
            by_problem[sample.path.problem.id].append((score, right))
        judged = [by_problem[problem.id] for problem in problems]
        found[round.number] = [judge([s for s, _ in one], [r for _, r in one]) for one in judged]
    return found


async def of_run(folder: Path, per_level: int) -> dict[int, list[Judgement]]:
    """Open a finished run and judge."""
    run = RunDir(folder)
    if not run.summary.exists():
        raise InputError(f"{folder}: no finished run; start experiments/evolve.py --config cpu first")
    config = load_config("cpu", read_json(run.config)["seed"])
    claim(run, config)
    async with open_lab(config, run, make_mesh(1, 1, 1)) as lab:
        return await judgements(lab, per_level)


def compare(runs: Sequence[Mapping[int, list[Judgement]]], field: str) -> dict[str, Interval]:
    """Each round's share, and the last round's over the first's on the same problems."""
    values = {
        number: [[value for one in run[number] if (value := getattr(one, field)) is not None] for run in runs]
        for number in runs[0]
    }
    first, last = min(values), max(values)
    gain = [[b - a for a, b in zip(*both, strict=True)] for both in zip(values[first], values[last], strict=True)]
    shares = {f"PPM-r{number}": bootstrap_seeds(value, crossed=False) for number, value in values.items()}
    return shares | {f"PPM-r{last} over PPM-r{first}": bootstrap_seeds(gain, crossed=False)}


def main(options: Options) -> None:
    """Measure, print, and write what was asked for."""
    set_up_jax(str(ROOT / "runs" / ".compiled"))
    folders, per_level = options.runs, options.per_level
    if options.quick:
        folders, per_level = folders[:1], max(1, per_level // 20)
    runs = [asyncio.run(of_run(folder, per_level)) for folder in folders]
    problems = sum(len(run[1]) for run in runs)
    mixed = sum(one.ordered is not None for run in runs for one in run[1])
    titles = {
        "ordered": f"pairs of a right and a wrong solution ordered rightly ({mixed} problems have both)",
        "best": f"best of {SAMPLES} is right ({problems} problems)",
    }
    figures: dict[str, float] = {"runs": len(runs), "problems": problems, "mixed problems": mixed}
    for field, title in titles.items():
        print(title)
        for name, share in compare(runs, field).items():
            print(f"  {name:20}{share.estimate:+7.1%} [{share.low:+.1%}, {share.high:+.1%}]")
            figures |= {f"{field}, {name}": share.estimate, f"{field}, {name}, low": share.low}
            figures[f"{field}, {name}, high"] = share.high
    if options.json is not None:
        write_json(options.json, figures)


if __name__ == "__main__":
    run_main(lambda: main(tyro.cli(Options)))
