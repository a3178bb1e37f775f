"""The same samples with the scores of another reward model: best-of-N without drawing anything again.

An evaluation of its own, resumable down to the problem, with the samples' rows but for score and scored tokens. What
drawing them cost stays in the rows; seconds are those of drawing, and of scoring on top.
"""

from __future__ import annotations

import asyncio
import dataclasses
import math
import time
from collections.abc import Callable, Sequence

from rstar_jax.errors import InputError
from rstar_jax.evaluation.results import Parts, TrajectoryRow
from rstar_jax.evaluation.run import EvaluationConfig, Progress, claim
from rstar_jax.files import AnyPath, local_path
from rstar_jax.problems.problem import Problem
from rstar_jax.search.protocols import Path, Scorer


async def rescore(
    problems: Sequence[Problem],
    config: EvaluationConfig,
    scorer: Scorer,
    samples: AnyPath,
    out_dir: AnyPath,
    *,
    on_problem: Progress | None = None,
    clock: Callable[[], float] = time.perf_counter,
) -> None:
    """Score the samples that the evaluation in `samples` has drawn, where `out_dir` lacks them.

    Raises InputError: not all samples are there, or `out_dir` holds an evaluation with other settings.
    """
    source, folder = Parts(local_path(samples) / "parts"), local_path(out_dir)
    present = {problem.id for problem in source.done(problems)}
    missing = [problem.id for problem in problems if problem.id not in present]
    if missing:
        raise InputError(f"{samples}: there are no samples of {len(missing)} problems yet, among them {missing[0]}")
    claim(folder, config)
    parts = Parts(folder / "parts")
    parts.clear_up(problems)
    done = {problem.id for problem in parts.done(problems)}
    slots = asyncio.Semaphore(config.concurrency)

    async def one(problem: Problem) -> None:
        async with slots:
            began = clock()
            rows = await scored_rows(problem, source.read(problem), scorer)
            share = (clock() - began) / max(1, len(rows))
            parts.write(problem, [dataclasses.replace(row, seconds=row.seconds + share) for row in rows])
            done.add(problem.id)
            if on_problem is not None:
                on_problem(len(done), len(problems))

    async with asyncio.TaskGroup() as group:
        for problem in [problem for problem in problems if problem.id not in done]:
            group.create_task(one(problem))


async def scored_rows(
    problem: Problem, rows: Sequence[TrajectoryRow], scorer: Scorer
) -> list[TrajectoryRow]:
    """Rows with the scorer's value of the last step; NaN without an answer."""
    asked = [row for row in rows if row.answer is not None]
    values = iter(await scorer.score([Path(problem, row.text) for row in asked])) if asked else iter(())
    return [
        dataclasses.replace(row, score=next(values), scored_tokens=row.generated_tokens)
        if row.answer is not None
        else dataclasses.replace(row, score=math.nan, scored_tokens=0)
        for row in rows
    ]
