"""How trajectories of a problem are obtained, greedy, sampled or read off a search tree, and graded.

    greedy        System 1: one trajectory of the greedy proposer (paper Table 3)
    sample        independent trajectories (Figure 6), as many as the search could have paid for
    tree_search   System 2: the finished answers of Monte Carlo tree searches with the PPM (section 4.1)

Single trajectories are in the policy's format, or in a model's own (`plain`). None of the methods sees the answer:
grading comes after, in `graded_rows`.
"""

from __future__ import annotations

import asyncio
import collections
import dataclasses
import math
from collections.abc import Iterator, Sequence

from rstar_jax.evaluation.plain import PlainConfig, plain_solution
from rstar_jax.evaluation.results import NO_GROUP, REST, TrajectoryRow
from rstar_jax.grading import group_answers
from rstar_jax.problems.problem import Problem
from rstar_jax.search.config import SearchConfig
from rstar_jax.search.mcts import search
from rstar_jax.search.protocols import Executor, Grader, Path, Proposer, Scorer, sample_key
from rstar_jax.search.sampling import Sample, sample_trajectory
from rstar_jax.search.trajectories import trajectories
from rstar_jax.search.tree import NO_PARENT, Tree
from rstar_jax.trajectory.steps import Reading

_Expansion = tuple[int, int]  # expanded node and rollout, in which a node is expanded once at most


@dataclasses.dataclass(frozen=True)
class Graders:
    """Both judgements of an answer, which are always reported side by side."""

    strict: Grader
    released: Grader


@dataclasses.dataclass(frozen=True)
class Draft:
    """A trajectory before grading; fields as in `TrajectoryRow`."""

    answer: str | None
    score: float
    generated_tokens: int
    scored_tokens: int
    steps: int
    outcome: str


@dataclasses.dataclass(frozen=True)
class SamplingConfig:
    """How single trajectories are drawn; `errors_threshold`: consecutive failing steps that end one."""

    max_steps: int = 16
    errors_threshold: int = 1


Drawing = SamplingConfig | PlainConfig
"""In the policy's format, or in that of a model without rStar training."""


async def greedy(
    problem: Problem,
    proposer: Proposer,
    executor: Executor,
    config: Drawing,
    reading: Reading,
    seed: int,
) -> list[Draft]:
    """One trajectory. The proposer decodes at temperature 0; the key only serves those that cannot."""
    key = sample_key(seed, problem.id, "greedy")
    return [_draft(await _sample(problem, proposer, executor, config, reading, key))]


async def sample(
    problem: Problem,
    proposer: Proposer,
    executor: Executor,
    scorer: Scorer | None,
    config: Drawing,
    reading: Reading,
    seed: int,
    n: int,
    budget: int = 0,
    max_n: int = 0,
) -> list[Draft]:
    """At least n trajectories, then n more at a time, up to `max_n`, until they cost `budget` tokens.

    With a scorer each finished one gets the PPM's score of its last step (best-of-N).
    """
    samples: list[Sample] = []
    limit = max(n, max_n)
    while len(samples) < n or (len(samples) < limit and sum(s.n_tokens for s in samples) < budget):
        places = range(len(samples), min(len(samples) + n, limit))
        keys = [sample_key(seed, problem.id, "sample", place) for place in places]
        drawn = [_sample(problem, proposer, executor, config, reading, key) for key in keys]
        samples += await asyncio.gather(*drawn)
    scores = await _final_scores([s.path for s in samples if s.answer], scorer)
    return [_draft(s, next(scores) if s.answer else math.nan, scorer is not None) for s in samples]


async def tree_search(
    problem: Problem,
    proposer: Proposer,
    executor: Executor,
    scorer: Scorer,
    config: SearchConfig,
    seed: int,
    n_trees: int,
) -> list[Draft]:
    """The finished answers of `n_trees` searches, tree by tree in the order of their creation."""
    growing = [
        search(problem, config, proposer, executor, scorer=scorer, seed=seed, tree_index=index)
        for index in range(n_trees)
    ]
    return [draft for tree in await asyncio.gather(*growing) for draft in tree_drafts(tree)]


def tree_drafts(tree: Tree) -> list[Draft]:
    """One draft per finished answer and a last one, `REST`, for what the search spent on no answer.

    An answer carries the tokens of the expansions since the previous answer, its own expansion included,
    refused candidates too: what the search had to spend to come from one trajectory to the next. Scored
    tokens are those of the steps that the PPM judged.
    """
    generated, scored = _expansion_costs(tree)
    order = list(generated)
    drafts, paid = [], 0
    for found in trajectories(tree):
        upto = order.index(_expansion(tree, found.nodes[-1])) + 1
        new = order[paid:upto]
        paid = max(paid, upto)
        drafts.append(
            Draft(
                answer=_clean(found.answer) or None,
                score=found.ppm,
                generated_tokens=sum(generated[one] for one in new),
                scored_tokens=sum(scored[one] for one in new),
                steps=len(found.steps),
                outcome="answer",
            )
        )
    rest = tree.tokens - sum(draft.generated_tokens for draft in drafts)
    rest_scored = sum(scored.values()) - sum(draft.scored_tokens for draft in drafts)
    if rest or rest_scored or not drafts:
        drafts.append(Draft(None, math.nan, rest, rest_scored, 0, REST))
    return drafts


async def graded_rows(
    problem: Problem, method: str, drafts: Sequence[Draft], graders: Graders
) -> list[TrajectoryRow]:
    """Rows of one method; every distinct answer is graded once by each grader."""
    first_at: dict[str, int] = {}  # distinct answer → index of the first trajectory that gives it
    for index, draft in enumerate(drafts):
        if draft.answer is not None:
            first_at.setdefault(draft.answer, index)
    distinct = list(first_at)
    strict, released = await asyncio.gather(
        _grade_all(graders.strict, distinct, problem.answer),
        _grade_all(graders.released, distinct, problem.answer),
    )
    numbers = group_answers(distinct)
    group_of: dict[str | None, int] = {
        a: first_at[distinct[numbers.index(number)]] for a, number in zip(distinct, numbers, strict=True)
    }
    return [
        TrajectoryRow(
            problem_id=problem.id,
            method=method,
            index=index,
            group=group_of.get(draft.answer, NO_GROUP),
            strict=strict.get(draft.answer, False),
            released=released.get(draft.answer, False),
            **dataclasses.asdict(draft),
        )
        for index, draft in enumerate(drafts)
    ]


async def _grade_all(grader: Grader, answers: Sequence[str], truth: str) -> dict[str | None, bool]:
    verdicts = await asyncio.gather(*(grader.grade(answer, truth) for answer in answers))
    return dict(zip(answers, verdicts, strict=True))


async def _sample(
    problem: Problem,
    proposer: Proposer,
    executor: Executor,
    config: Drawing,
    reading: Reading,
    key: int,
) -> Sample:
    if isinstance(config, PlainConfig):
        return await plain_solution(problem, proposer, executor, config, key)
    return await sample_trajectory(
        problem, proposer, executor, key, config.max_steps, config.errors_threshold, reading
    )


async def _final_scores(paths: list[Path], scorer: Scorer | None) -> Iterator[float]:
    """An iterator over the PPM's scores of the last steps; NaN for all without a PPM."""
    if scorer is None or not paths:
        return iter([math.nan] * len(paths))
    return iter(await scorer.score(paths))


def _draft(sampled: Sample, score: float = math.nan, scored: bool = False) -> Draft:
    answer = _clean(sampled.answer) or None
    return Draft(
        answer=answer,
        score=score,
        generated_tokens=sampled.n_tokens,
        scored_tokens=sampled.n_tokens if scored and answer is not None else 0,
        steps=len(sampled.path.steps),
        outcome=sampled.outcome,
    )


def _expansion_costs(tree: Tree) -> tuple[dict[_Expansion, int], dict[_Expansion, int]]:
    """Generated and scored tokens of every expansion that brought children, in the order of the expansions."""
    refused: collections.Counter[_Expansion] = collections.Counter()
    for one in tree.refused:
        refused[one.node, one.created_at] += one.n_tokens
    generated: dict[_Expansion, int] = {}
    scored: dict[_Expansion, int] = {}
    for node, parent in enumerate(tree.parent):
        if parent == NO_PARENT:
            continue
        place = _expansion(tree, node)
        generated[place] = generated.get(place, refused[place]) + tree.n_tokens[node]
        judged = 0 if math.isnan(tree.ppm[node]) else tree.n_tokens[node]
        scored[place] = scored.get(place, 0) + judged
    return generated, scored


def _expansion(tree: Tree, child: int) -> _Expansion:
    return tree.parent[child], tree.created_at[child]


def _clean(answer: str) -> str:
    """Half surrogate pairs, which a model may write and Parquet cannot hold, as escapes."""
    return answer.encode("utf-8", "backslashreplace").decode("utf-8")
