"""One evaluation: every problem by every method, graded by both graders, resumable down to the problem.

`out_dir` gets `evaluation.json` (the settings), `parts/` (a file per finished problem) and
`trajectories.parquet` (all rows, when all problems are done). Starting it again does what is missing; with
other settings it refuses.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import pathlib
import time
from collections.abc import Callable, Sequence
from typing import Any, Literal, cast

from rstar_jax.errors import InputError
from rstar_jax.evaluation.aggregate import EvaluationResult, collect
from rstar_jax.evaluation.methods import (
    Draft,
    Drawing,
    Graders,
    SamplingConfig,
    graded_rows,
    greedy,
    sample,
    tree_search,
)
from rstar_jax.evaluation.plain import PlainConfig
from rstar_jax.evaluation.results import Parts, TrajectoryRow, write_tables
from rstar_jax.files import AnyPath, local_path, read_json, write_json
from rstar_jax.problems.problem import Problem
from rstar_jax.search import presets
from rstar_jax.search.config import SearchConfig
from rstar_jax.search.protocols import Executor, Proposer, Scorer

Method = Literal["greedy", "sample", "search"]
Progress = Callable[[int, int], None]


@dataclasses.dataclass(frozen=True)
class EvaluationConfig:
    """What is run.

    models: names the models (e.g. "SLM-r2, PPM-r2"), so that results of others are not taken for theirs.
    n_trajectories: sampled trajectories, at least. search: rollouts, candidates and the rest of System 2;
    answers must be valued by the PPM. n_trees: searches per problem. match_search: draw further samples until
    they cost what the search on that problem did, `max_samples` at most. score_samples: let the PPM score
    samples too (best-of-N). sampling: how single trajectories are written: a `SamplingConfig`, or a `PlainConfig`
    for a model without rStar training, which cannot search. concurrency: problems at a time; no result depends on it.
    """

    methods: tuple[Method, ...] = ("greedy", "sample", "search")
    models: str = ""
    n_trajectories: int = 8
    search: SearchConfig = dataclasses.field(default_factory=lambda: presets.default("eval"))
    n_trees: int = 1
    match_search: bool = True
    max_samples: int = 128
    score_samples: bool = True
    sampling: Drawing = dataclasses.field(default_factory=SamplingConfig)
    seed: int = 0
    concurrency: int = 64

    def __post_init__(self):
        if not self.methods or len(set(self.methods)) != len(self.methods):
            raise ValueError(f"methods must be distinct and at least one, got {self.methods}")
        if min(self.n_trajectories, self.n_trees, self.max_samples, self.concurrency) < 1:
            raise ValueError("n_trajectories, n_trees, max_samples and concurrency must be at least 1")
        if "search" in self.methods and self.search.needs_grader:
            raise ValueError("at test time the search must value answers by the PPM (terminal='ppm')")
        if "search" in self.methods and isinstance(self.sampling, PlainConfig):
            raise ValueError("a model without rStar training writes no steps that a search could branch at")

    def fingerprint(self) -> dict[str, Any]:
        """What results depend on, as JSON values."""
        fields = dataclasses.asdict(self)
        del fields["concurrency"]
        return json.loads(json.dumps(fields))


@dataclasses.dataclass(frozen=True)
class Tools:
    """Who does what. greedy decodes at temperature 0, sampler at 1; a model that no method uses may be None.

    clock: seconds, for the wall time of a problem.
    """

    greedy: Proposer | None
    sampler: Proposer | None
    scorer: Scorer | None
    executor: Executor
    graders: Graders
    clock: Callable[[], float] = time.perf_counter


async def evaluate(
    problems: Sequence[Problem],
    config: EvaluationConfig,
    tools: Tools,
    out_dir: AnyPath,
    on_problem: Progress | None = None,
) -> EvaluationResult:
    """Run what is missing in `out_dir` and return everything; see `run_problems`."""
    await run_problems(problems, config, tools, out_dir, on_problem)
    write_table(problems, out_dir)
    found = collected(problems, config, out_dir)
    assert found is not None
    return found


async def run_problems(
    problems: Sequence[Problem],
    config: EvaluationConfig,
    tools: Tools,
    out_dir: AnyPath,
    on_problem: Progress | None = None,
) -> None:
    """Run what is missing of these problems in `out_dir`; several processes may do so, each with problems of its own.

    `on_problem` is told (problems done, problems in all). If a problem fails, the others in flight are cancelled and
    the exception passes through (in an ExceptionGroup); finished problems stay.

    Raises:
        InputError: if `out_dir` holds an evaluation with other settings.
        ValueError: for repeated problem ids, or if a model that is needed is None.
    """
    if len({problem.id for problem in problems}) != len(problems):
        raise ValueError("problem ids repeat")
    _check_models(config, tools)
    folder = local_path(out_dir)
    claim(folder, config)
    parts = Parts(folder / "parts")
    parts.clear_up(problems)
    await _run_missing(problems, config, tools, parts, on_problem)


def collected(
    problems: Sequence[Problem],
    config: EvaluationConfig,
    out_dir: AnyPath,
    keep: Callable[[list[TrajectoryRow]], list[TrajectoryRow]] | None = None,
) -> EvaluationResult | None:
    """What an evaluation has come to; None while problems are missing.

    keep: which of a problem's rows are wanted, where all of them would be too many; they come without texts then.

    Raises InputError: there is an evaluation with other settings.
    """
    folder = local_path(out_dir)
    if not (folder / "evaluation.json").exists():
        return None
    claim(folder, config)
    parts = Parts(folder / "parts")
    if len(parts.done(problems)) < len(problems):
        return None
    if keep is None:
        return collect(problems, (row for problem in problems for row in parts.read(problem)))
    return collect(problems, (row for problem in problems for row in keep(parts.read(problem, texts=False))))


def write_table(problems: Sequence[Problem], out_dir: AnyPath) -> None:
    """`trajectories.parquet`, once no problem is missing."""
    path = local_path(out_dir) / "trajectories.parquet"
    parts = Parts(path.parent / "parts")
    if not path.exists() and len(parts.done(problems)) == len(problems):
        write_tables(path, map(parts.table, problems))


async def _run_missing(
    problems: Sequence[Problem],
    config: EvaluationConfig,
    tools: Tools,
    parts: Parts,
    on_problem: Progress | None,
) -> None:
    done = {problem.id for problem in parts.done(problems)}
    slots = asyncio.Semaphore(config.concurrency)

    async def one(problem: Problem) -> None:
        async with slots:
            parts.write(problem, await _evaluate_problem(problem, config, tools))
            done.add(problem.id)
            if on_problem is not None:
                on_problem(len(done), len(problems))

    async with asyncio.TaskGroup() as group:
        for problem in [p for p in problems if p.id not in done]:
            group.create_task(one(problem))


async def _evaluate_problem(problem: Problem, config: EvaluationConfig, tools: Tools) -> list[TrajectoryRow]:
    """All methods on one problem; the search before the samples, whose number may depend on its cost."""
    drafts: dict[Method, list[Draft]] = {}
    seconds: dict[Method, float] = {}
    for method in sorted(config.methods, key=("greedy", "search", "sample").index):
        began = tools.clock()
        spent = sum(draft.generated_tokens for draft in drafts.get("search", ()))
        drafts[method] = await _drafts(method, problem, config, tools, spent if config.match_search else 0)
        seconds[method] = tools.clock() - began
    return [
        row
        for method in config.methods
        for row in await graded_rows(problem, method, drafts[method], seconds[method], tools.graders)
    ]


async def _drafts(
    method: Method, problem: Problem, config: EvaluationConfig, tools: Tools, budget: int
) -> list[Draft]:
    """budget: generated tokens that samples are drawn for."""
    # Those that a method uses are there, as has been checked.
    policy, sampler, scorer = cast(Proposer, tools.greedy), cast(Proposer, tools.sampler), cast(Scorer, tools.scorer)
    reading = config.search.reading
    if method == "greedy":
        return await greedy(problem, policy, tools.executor, config.sampling, reading, config.seed)
    if method == "search":
        return await tree_search(
            problem, sampler, tools.executor, scorer, config.search, config.seed, config.n_trees
        )
    return await sample(
        problem,
        sampler,
        tools.executor,
        scorer if config.score_samples else None,
        config.sampling,
        reading,
        config.seed,
        n=config.n_trajectories,
        budget=budget,
        max_n=config.max_samples,
    )


def _check_models(config: EvaluationConfig, tools: Tools) -> None:
    methods = set(config.methods)
    needed = {
        "greedy": "greedy" in methods,
        "sampler": bool(methods & {"sample", "search"}),
        "scorer": "search" in methods or ("sample" in methods and config.score_samples),
    }
    for name, used in needed.items():
        if used and getattr(tools, name) is None:
            raise ValueError(f"{name} is needed for methods {config.methods}")


def claim(folder: pathlib.Path, config: EvaluationConfig) -> None:
    """Write the settings, or compare them with those of the evaluation that is there."""
    path, wanted = folder / "evaluation.json", config.fingerprint()
    if not path.exists():
        write_json(path, wanted)
        return
    found = read_json(path)
    different = sorted(key for key in wanted.keys() | found.keys() if wanted.get(key) != found.get(key))
    if different:
        names = ", ".join(different)
        raise InputError(f"{path}: an evaluation with other settings ({names}) is there already")
