"""One policy, with a reward model or without, by one method on one benchmark: the unit of work of a reproduction.

Kept in RUN/reproduction/BENCHMARK/NAME, a row a trajectory, so that whatever table asks for it finds it there.
"""

from __future__ import annotations

import contextlib
import dataclasses
import pathlib
from collections.abc import Sequence
from typing import Literal

from rstar_jax.evaluation import selection
from rstar_jax.evaluation.aggregate import EvaluationResult
from rstar_jax.evaluation.methods import SamplingConfig
from rstar_jax.evaluation.rescore import rescore
from rstar_jax.evaluation.results import Parts
from rstar_jax.evaluation.run import EvaluationConfig, Method, Tools, collected, run_problems, write_table
from rstar_jax.evolution.config import EvolutionConfig
from rstar_jax.evolution.lab import Lab
from rstar_jax.evolution.run_dir import RunDir
from rstar_jax.problems.problem import Problem
from rstar_jax.reproduction.models import model_folder, slm
from rstar_jax.reproduction.plan import StudyPlan
from rstar_jax.search.progress import make_progress

Kind = Literal["greedy", "samples", "scored", "search"]
_METHODS: dict[Kind, Method] = {"greedy": "greedy", "samples": "sample", "scored": "sample", "search": "search"}


@dataclasses.dataclass(frozen=True, order=True)
class Evaluation:
    """kind: "greedy" (System 1); "samples": independent ones; "scored": the policy's samples with the scores of a
    reward model, for best-of-N; "search": tree search with that model. variant: of the search, a name in
    `StudyPlan.methods` or `variants`. many: with `StudyPlan.most` searches or `most_samples` samples a problem.
    """

    policy: str
    kind: Kind
    scorer: str | None = None
    variant: str = ""
    many: bool = False

    @property
    def name(self) -> str:
        """Of its folder."""
        models = self.policy if self.scorer is None else f"{self.policy}+{self.scorer}"
        return ".".join(filter(None, (models, self.kind, self.variant, "many" if self.many else "")))

    @property
    def samples(self) -> Evaluation:
        """Those that a "scored" one gives scores to."""
        return Evaluation(self.policy, "samples", many=self.many)

    def folder(self, run: RunDir, benchmark: str) -> pathlib.Path:
        return run.root / "reproduction" / benchmark / self.name


def greedy(number: int) -> Evaluation:
    """System 1 with the policy of a round; 0: the base model."""
    return Evaluation(slm(number), "greedy")


def settings(config: EvolutionConfig, plan: StudyPlan, one: Evaluation, benchmark: str) -> EvaluationConfig:
    """The evaluation as `evaluation.run` knows it."""
    search = (plan.methods | plan.variants)[one.variant] if one.variant else plan.search
    few, sampled = one.variant in plan.variants, _METHODS[one.kind] == "sample"
    trees = plan.variant_trees if few else plan.most if one.many else plan.trees(benchmark)
    return EvaluationConfig(
        methods=(_METHODS[one.kind],),
        models=one.name,
        n_trajectories=(plan.most_samples if one.many else plan.samples) if sampled else 1,
        search=search,
        n_trees=trees if one.kind == "search" else 1,
        match_search=False,
        score_samples=False,
        sampling=SamplingConfig(max_steps=search.max_depth),
        seed=config.seed,
        concurrency=config.concurrency,
    )


async def run_evaluation(
    lab: Lab, plan: StudyPlan, one: Evaluation, benchmark: str, problems: Sequence[Problem]
) -> None:
    """Do what is missing of this process's share; of a "scored" one the samples have to be there.

    Raises InputError: an evaluation with other settings lies there.
    """
    folder, mine = one.folder(lab.run, benchmark), problems[lab.share.index :: lab.share.of]
    if len(Parts(folder / "parts").done(mine)) < len(mine):
        await _run(lab, plan, one, benchmark, mine)
    write_table(problems, folder)


def result_of(
    config: EvolutionConfig, run: RunDir, plan: StudyPlan, one: Evaluation, benchmark: str, problems: Sequence[Problem]
) -> EvaluationResult | None:
    """Of searches only what each submits, since they find many answers. None: it is not finished.

    Raises InputError: an evaluation with other settings lies there.
    """
    keep = selection.one_per_tree if one.kind == "search" else list
    return collected(problems, settings(config, plan, one, benchmark), one.folder(run, benchmark), keep)


async def _run(lab: Lab, plan: StudyPlan, one: Evaluation, benchmark: str, problems: Sequence[Problem]) -> None:
    folder = one.folder(lab.run, benchmark)
    config = settings(lab.config, plan, one, benchmark)
    async with contextlib.AsyncExitStack() as stack:
        scorer = sampler = deterministic = None
        if one.scorer is not None:
            scorer = await stack.enter_async_context(lab.scorer(model_folder(lab.run, one.scorer)))
        if one.kind != "scored":
            policy = lab.policy(model_folder(lab.run, one.policy))
            deterministic, sampler = await stack.enter_async_context(policy)
        done = len(Parts(folder / "parts").done(problems))
        progress = make_progress(len(problems), done, f"{benchmark}: {one.name}", lab.meter())
        stack.callback(progress.close)

        def tell(done: int, total: int) -> None:
            progress.advance(0, 0)

        if one.kind == "scored":
            assert scorer is not None
            await rescore(problems, config, scorer, one.samples.folder(lab.run, benchmark), folder, on_problem=tell)
        else:
            tools = Tools(deterministic, sampler, scorer, lab.executor, lab.graders)
            await run_problems(problems, config, tools, folder, tell)

