"""Models that no round makes and some table needs, each trained with the run's own recipe.

    ORM, PQM                  Table 8: from the trees of the last round
    SLM-random-sample         Table 7: the base model on two random right solutions of each training problem, of many
                              that the policy of the round before the last draws without a search
    SLM-rejection-sampling    Table 7: on the two right ones that the ORM scores highest
    PPM-steps-only            the last PPM without pairs of final answers (section 3.3 has both; its value is not shown)

Everything is resumable: samples down to the problem, training as ever. The ORM of "our ORM" (section 4.3) is that of
Table 8; two right solutions a problem and the same recipe are the paper's words.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
import pathlib
import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from rstar_jax.datasets.tokenise import Split, TokeniseConfig, tokenise_files
from rstar_jax.errors import InputError
from rstar_jax.evaluation.methods import SamplingConfig
from rstar_jax.evaluation.rescore import rescore
from rstar_jax.evaluation.results import Parts, TrajectoryRow
from rstar_jax.evaluation.run import EvaluationConfig, Tools, run_problems
from rstar_jax.evolution.baselines import fit_baseline
from rstar_jax.evolution.lab import Lab
from rstar_jax.files import atomic_write, iterate_jsonl
from rstar_jax.models.store import is_finished, load_model
from rstar_jax.reproduction.models import (
    RANDOM_SFT,
    REJECTION_SFT,
    STEPS_ONLY_PPM,
    model_folder,
    orm,
    pqm,
    slm,
)
from rstar_jax.reproduction.plan import StudyPlan
from rstar_jax.search.progress import make_progress
from rstar_jax.training.hosts import first_alone
from rstar_jax.training.ppm import train_ppm
from rstar_jax.training.sft import train_policy

SFT_PER_PROBLEM = 2  # section 4.3
Choose = Callable[[str, list[TrajectoryRow]], list[TrajectoryRow]]


async def ensure_model(lab: Lab, plan: StudyPlan, name: str) -> None:
    """Train a model of a table unless it is there.

    Raises InputError: it is one of the run's own, and not finished.
    """
    if is_finished(model_folder(lab.run, name)):
        return
    last = lab.config.rounds[-1].number
    if name == orm(last):
        fit_baseline(lab, last, "orm")
    elif name == pqm(last):
        fit_baseline(lab, last, "pqm")
    elif name == STEPS_ONLY_PPM:
        _fit_steps_only(lab, last)
    elif name in (RANDOM_SFT, REJECTION_SFT):
        await ensure_model(lab, plan, orm(last))
        await _fit_sampled(lab, plan, name, last)
    else:
        raise InputError(f"{model_folder(lab.run, name)}: {name} is not there yet; finish the run first")


def random_choice(seed: int) -> Choose:
    """Some of the right solutions, drawn by seed and problem."""

    def choose(problem: str, right: list[TrajectoryRow]) -> list[TrajectoryRow]:
        return random.Random(f"{seed} {problem}").sample(right, min(SFT_PER_PROBLEM, len(right)))

    return choose


def best_scored(problem: str, right: list[TrajectoryRow]) -> list[TrajectoryRow]:
    """Those with the highest scores; of equals the first."""
    return sorted(right, key=lambda row: -row.score)[:SFT_PER_PROBLEM]


def sft_rows(
    problems: Sequence[tuple[str, str]], rows_of: Callable[[str], Sequence[TrajectoryRow]], grader: str, choose: Choose
) -> Iterator[dict[str, Any]]:
    """Rows for the policy, of problems as (id, question): chosen from right solutions, equal texts once."""
    for name, question in problems:
        first = {row.text: row for row in reversed(rows_of(name)) if getattr(row, grader)}
        right = sorted(first.values(), key=lambda row: row.index)
        for row in choose(name, right):
            yield {"query": question, "response": "".join(row.text), "problem": name, "index": row.index}


async def _fit_sampled(lab: Lab, plan: StudyPlan, name: str, last: int) -> None:
    folder = lab.run.root / "ablations"
    samples, scored = folder / "samples", folder / "scored"
    config = EvaluationConfig(
        methods=("sample",),
        models=slm(last - 1),
        n_trajectories=plan.rejection_samples,
        search=plan.search,
        match_search=False,
        score_samples=False,
        sampling=SamplingConfig(max_steps=plan.search.max_depth),
        seed=lab.config.seed,
        concurrency=lab.config.concurrency,
    )
    await _draw(lab, config, samples)
    if name == REJECTION_SFT:
        await _score(lab, dataclasses.replace(config, models=f"{slm(last - 1)}+{orm(last)}"), samples, scored, last)
    parts = Parts((scored if name == REJECTION_SFT else samples) / "parts")
    choose = best_scored if name == REJECTION_SFT else random_choice(lab.config.seed)
    by_id = {problem.id: problem for problem in lab.problems[0]}
    questions = [(problem.id, problem.question) for problem in lab.problems[0]]
    rows = sft_rows(questions, lambda one: parts.read(by_id[one]), lab.config.grader, choose)
    _fit_policy(lab, model_folder(lab.run, name), folder / f"{name}.jsonl", rows)


async def _draw(lab: Lab, config: EvaluationConfig, folder: pathlib.Path) -> None:
    problems = lab.problems[0]
    done = len(Parts(folder / "parts").done(problems))
    if done == len(problems):
        return
    async with lab.policy(model_folder(lab.run, config.models)) as (_, sampler):
        progress = make_progress(len(problems), done, f"samples of {config.models}", lab.meter())
        try:
            tools = Tools(None, sampler, None, lab.executor, lab.graders)
            await run_problems(problems, config, tools, folder, lambda count, total: progress.advance(0, 0))
        finally:
            progress.close()


async def _score(lab: Lab, config: EvaluationConfig, samples: pathlib.Path, folder: pathlib.Path, last: int) -> None:
    problems = lab.problems[0]
    done = len(Parts(folder / "parts").done(problems))
    if done == len(problems):
        return
    async with lab.scorer(model_folder(lab.run, orm(last))) as scorer:
        progress = make_progress(len(problems), done, f"scores of {orm(last)}", lab.meter())
        try:
            tell = lambda count, total: progress.advance(0, 0)  # noqa: E731
            await rescore(problems, config, scorer, samples, folder, on_problem=tell)
        finally:
            progress.close()


def _fit_policy(lab: Lab, folder: pathlib.Path, file: pathlib.Path, rows: Iterator[dict[str, Any]]) -> None:
    config = dataclasses.replace(lab.config.policy_training, seed=lab.config.seed)
    settings = TokeniseConfig("policy", config.row_length, lab.config.output_in_loss, seed=config.seed)
    data = _tokenised(lab, rows, file, settings)
    train_policy(
        data.train, lab.model_config, folder, lab.tokenizer, init=load_model(lab.run.base, lab.mesh)[1], config=config
    )


def _fit_steps_only(lab: Lab, last: int) -> None:
    folder = model_folder(lab.run, STEPS_ONLY_PPM)
    files = [lab.run.data(number) / "pairs.jsonl" for number in lab.config.pair_rounds(last)]
    rows = (row for file in files for _, row in iterate_jsonl(file) if row["kind"] == "step")
    config = dataclasses.replace(lab.config.ppm_training, seed=lab.config.seed)
    settings = TokeniseConfig("ppm", config.row_length, held_out=lab.config.ppm_held_out, seed=config.seed)
    data = _tokenised(lab, rows, folder.parent / f"{STEPS_ONLY_PPM}.jsonl", settings)
    train_ppm(
        data.train,
        lab.model_config,
        folder,
        lab.tokenizer,
        init=load_model(lab.run.policy(last), lab.mesh)[1],
        config=config,
        rule=lab.config.ppm_loss,
        head=lab.config.ppm_head,
    )


def _tokenised(lab: Lab, rows: Iterator[dict[str, Any]], file: pathlib.Path, settings: TokeniseConfig) -> Split:
    """The rows in a file and in tokens; one process writes, the others read."""

    def write() -> Split:
        if not file.exists():
            found = iter(rows)
            first = next(found, None)
            if first is None:
                raise InputError(f"{file}: there is nothing to train from")
            with atomic_write(file) as opened:
                lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in itertools.chain([first], found))
                opened.writelines(lines)
        return tokenise_files([file], file.parent / "tokens" / file.stem, lab.tokenizer, settings)

    return first_alone(write)
