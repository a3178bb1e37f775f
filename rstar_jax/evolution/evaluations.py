"""What is evaluated after a round: policies with PPMs, on the held-out problems, by System 1 and System 2."""

from __future__ import annotations

import contextlib
import dataclasses
import pathlib
from collections.abc import Sequence

from rstar_jax.evaluation.aggregate import EvaluationResult
from rstar_jax.evaluation.methods import SamplingConfig
from rstar_jax.evaluation.results import Parts
from rstar_jax.evaluation.run import EvaluationConfig, Method, Tools, collected, run_problems, write_table
from rstar_jax.evolution.config import EvolutionConfig
from rstar_jax.evolution.lab import Lab
from rstar_jax.evolution.run_dir import RunDir
from rstar_jax.problems.problem import Problem
from rstar_jax.search.progress import make_progress

BASE = 0  # the "round" of the base model


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """The policy of one round (0: the base model) with the PPM of another, or without one."""

    round: int
    policy: int
    ppm: int | None
    methods: tuple[Method, ...]

    @property
    def name(self) -> str:
        policy = f"SLM-r{self.policy}" if self.policy else "base"
        return policy if self.ppm is None else f"{policy}, PPM-r{self.ppm}"

    def folder(self, run: RunDir) -> pathlib.Path:
        return run.evaluation(self.round, self.name.replace(", ", "-"))


def own(config: EvolutionConfig, number: int) -> Evaluation:
    """Of what a round has made."""
    if number == BASE:
        return Evaluation(BASE, 0, None, ("greedy",))
    last = number == config.rounds[-1].number and config.evaluation.samples
    return Evaluation(number, number, number, ("greedy", "search", "sample") if last else ("greedy", "search"))


def with_fixed_policy(config: EvolutionConfig, number: int) -> Evaluation:
    """Of the round's PPM with the policy that guides all PPMs (Table 4)."""
    mine, policy = own(config, number), config.evaluation.fixed_policy
    if policy == number:
        return mine
    return Evaluation(number, policy, number, tuple(method for method in mine.methods if method != "greedy"))


def evaluations_of(config: EvolutionConfig, number: int) -> tuple[Evaluation, ...]:
    """All that are due after a round, or of the base model."""
    if number == BASE:
        return (own(config, number),)
    return tuple(dict.fromkeys((own(config, number), with_fixed_policy(config, number))))


async def evaluate_round(lab: Lab, number: int) -> None:
    """Evaluate on this process's share of the problems what is not evaluated yet."""
    for evaluation in evaluations_of(lab.config, number):
        parts = Parts(evaluation.folder(lab.run) / "parts")
        mine = lab.problems[1][lab.share.index :: lab.share.of]
        if len(parts.done(mine)) < len(mine):
            await _evaluate(lab, evaluation, mine)
        write_table(lab.problems[1], evaluation.folder(lab.run))


def result_of(lab: Lab, evaluation: Evaluation) -> EvaluationResult | None:
    """None: it is not finished."""
    return collected(lab.problems[1], _settings(lab.config, evaluation), evaluation.folder(lab.run))


def is_over(run: RunDir, evaluation: Evaluation, n_problems: int) -> bool:
    """Whether every problem is evaluated, told from the number of files."""
    return Parts(evaluation.folder(run) / "parts").count() >= n_problems


async def _evaluate(lab: Lab, evaluation: Evaluation, problems: Sequence[Problem]) -> None:
    async with contextlib.AsyncExitStack() as stack:
        greedy, sampling = await stack.enter_async_context(lab.policy(lab.run.policy(evaluation.policy)))
        ppm = evaluation.ppm
        scorer = await stack.enter_async_context(lab.scorer(lab.run.ppm(ppm))) if ppm is not None else None
        done = len(Parts(evaluation.folder(lab.run) / "parts").done(problems))
        progress = make_progress(len(problems), done, f"evaluate {evaluation.name}", lab.meter())
        try:
            tools = Tools(greedy, sampling, scorer, lab.executor, lab.graders)
            settings, folder = _settings(lab.config, evaluation), evaluation.folder(lab.run)
            await run_problems(problems, settings, tools, folder, lambda count, total: progress.advance(0, 0))
        finally:
            progress.close()


def _settings(config: EvolutionConfig, evaluation: Evaluation) -> EvaluationConfig:
    plan = config.evaluation
    return EvaluationConfig(
        methods=evaluation.methods,
        models=evaluation.name,
        n_trajectories=plan.n_trajectories,
        search=plan.search,
        sampling=SamplingConfig(max_steps=plan.search.max_depth),
        seed=config.seed,
        concurrency=config.concurrency,
        score_samples=evaluation.ppm is not None,
    )
