"""A run as a state machine: which stages it has, which are over, what comes next.

The state is the run directory and nothing else, so stages may be run one by one, by different commands on different
machines, and after a kill the run is where its files say. `who` tells how many processes a stage takes: those of a
search and of an evaluation have a share of the problems each and know nothing of each other; those that train are one
`jax.distributed` job.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Awaitable, Callable
from typing import Literal, get_args

from rstar_jax.errors import InputError
from rstar_jax.evaluation.report import write_report
from rstar_jax.evaluation.summary import write_summary
from rstar_jax.evolution import stages
from rstar_jax.evolution.config import EvolutionConfig
from rstar_jax.evolution.evaluations import BASE, evaluate_round, evaluations_of, is_over
from rstar_jax.evolution.lab import Lab
from rstar_jax.evolution.run_dir import RunDir
from rstar_jax.evolution.search_stage import search_problems
from rstar_jax.evolution.summarise import summarise
from rstar_jax.files import count_lines
from rstar_jax.models.store import is_finished
from rstar_jax.report.page import write_page
from rstar_jax.search import shards

Name = Literal["search", "data", "base", "policy", "ppm", "evaluation", "report"]
Who = Literal["each", "first", "together"]

_WHO: dict[Name, Who] = {
    "search": "each",
    "data": "first",
    "base": "together",
    "policy": "together",
    "ppm": "together",
    "evaluation": "each",
    "report": "first",
}


@dataclasses.dataclass(frozen=True)
class Stage:
    """round: 0 for what belongs to no round: the base model, its evaluation, the report."""

    name: Name
    round: int

    def __post_init__(self) -> None:
        if self.name not in get_args(Name):
            raise InputError(f"there is no stage {self.name!r}; stages are {', '.join(get_args(Name))}")

    def __str__(self) -> str:
        return f"{self.name} of round {self.round}" if self.round else self.name

    @property
    def who(self) -> Who:
        """Which of several processes run it: each with a share of the problems, the first alone, or all as one."""
        return _WHO[self.name]


def stages_of(config: EvolutionConfig) -> tuple[Stage, ...]:
    """All stages of a run in their order."""
    found: list[Stage] = []
    for number in (round.number for round in config.rounds):
        found += [Stage("search", number), Stage("data", number)]
        if number == config.rounds[0].number:
            found.append(Stage("base", BASE))  # its tokenizer may be learned from the data of the first round
        found += [Stage(name, number) for name in ("policy", "ppm", "evaluation")]
    return (*found, Stage("evaluation", BASE), Stage("report", BASE))


def is_done(config: EvolutionConfig, run: RunDir, stage: Stage) -> bool:
    """Told from names and footers of files, so it is quick for any number of problems."""
    number = stage.round
    match stage.name:
        case "search":
            return run.has_data(number) or shards.is_over(run.trees(number), config.round(number).budget)
        case "data":
            return run.has_data(number)
        case "base":
            return is_finished(run.base)
        case "policy":
            return is_finished(run.policy(number))
        case "ppm":
            return is_finished(run.ppm(number))
        case "evaluation":
            test = run.problems / "test.jsonl"
            return test.exists() and all(
                is_over(run, one, count_lines(test)) for one in evaluations_of(config, number)
            )
        case "report":
            return run.summary.exists()


def next_stage(config: EvolutionConfig, run: RunDir) -> Stage | None:
    """The first stage that is not over; None: the run is finished."""
    return next((stage for stage in stages_of(config) if not is_done(config, run, stage)), None)


async def run_stage(lab: Lab, stage: Stage) -> None:
    """Run this process's part of a stage.

    Raises InputError: the config has no such stage, or one before it is not over.
    """
    order = stages_of(lab.config)
    if stage not in order:
        numbers = ", ".join(str(round.number) for round in lab.config.rounds)
        raise InputError(f"{lab.config.name} has no {stage}; its rounds are {numbers}")
    for before in order[: order.index(stage)]:
        if not is_done(lab.config, lab.run, before):
            raise InputError(f"{lab.run.root}: {stage} comes after {before}, which is not over")
    await _WORK[stage.name](lab, stage.round)


async def _search(lab: Lab, number: int) -> None:
    await search_problems(lab, lab.config.round(number))


async def _data(lab: Lab, number: int) -> None:
    stages.build_data(lab, lab.config.round(number))


async def _base(lab: Lab, number: int) -> None:
    stages.make_base(lab)


async def _policy(lab: Lab, number: int) -> None:
    stages.fit_policy(lab, lab.config.round(number))


async def _ppm(lab: Lab, number: int) -> None:
    stages.fit_ppm(lab, lab.config.round(number))


async def _report(lab: Lab, number: int) -> None:
    summary = summarise(lab)
    write_report(summary, lab.run.report)
    write_page(lab.run, summary)
    write_summary(lab.run.summary, summary)


_WORK: dict[Name, Callable[[Lab, int], Awaitable[None]]] = {
    "search": _search,
    "data": _data,
    "base": _base,
    "policy": _policy,
    "ppm": _ppm,
    "evaluation": evaluate_round,
    "report": _report,
}
