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
from rstar_jax.evaluation.results import NO_GROUP, NO_TREE, REST, TrajectoryRow
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
    calls: int
    outcome: str
    text: tuple[str, ...] = ()
    values: tuple[float, ...] = ()
    tree: int = NO_TREE


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
    costs = _expansion_costs(tree)
    order = list(costs)
    drafts, paid = [], 0
    for found in trajectories(tree):
        upto = order.index(_expansion(tree, found.nodes[-1])) + 1
        new = sum((costs[one] for one in order[paid:upto]), _Cost())
        paid = max(paid, upto)
        drafts.append(
            Draft(
                answer=_clean(found.answer) or None,
                score=found.ppm,
                generated_tokens=new.generated,
                scored_tokens=new.scored,
                calls=new.calls,
                outcome="answer",
                text=tuple(map(_clean, found.steps)),
                values=tuple(tree.ppm[node] for node in found.nodes),
                tree=tree.index,
            )
        )
    generated = tree.tokens - sum(draft.generated_tokens for draft in drafts)
    scored = sum(cost.scored for cost in costs.values()) - sum(draft.scored_tokens for draft in drafts)
    calls = tree.executions - sum(draft.calls for draft in drafts)
    if generated or scored or calls or not drafts:
        drafts.append(Draft(None, math.nan, generated, scored, calls, REST, tree=tree.index))
    return drafts


async def graded_rows(
    problem: Problem, method: str, drafts: Sequence[Draft], seconds: float, graders: Graders
) -> list[TrajectoryRow]:
    """Rows of one method, which took so long; every distinct answer is graded once by each grader."""
    shares = _shares([draft.generated_tokens for draft in drafts])
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
            seconds=seconds * share,
            **dataclasses.asdict(draft),
        )
        for index, (draft, share) in enumerate(zip(drafts, shares, strict=True))
    ]


def _shares(weights: Sequence[int]) -> list[float]:
    """Weights as shares of their sum; equal ones where there is no weight."""
    total = sum(weights)
    return [weight / total if total else 1 / len(weights) for weight in weights]


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
        calls=sampled.n_calls,
        outcome=sampled.outcome,
        text=tuple(map(_clean, sampled.path.steps)),
    )


@dataclasses.dataclass(frozen=True)
class _Cost:
    """Of an expansion: generated tokens, those that the PPM judged, calls of Python."""

    generated: int = 0
    scored: int = 0
    calls: int = 0

    def __add__(self, other: _Cost) -> _Cost:
        return _Cost(self.generated + other.generated, self.scored + other.scored, self.calls + other.calls)


def _expansion_costs(tree: Tree) -> dict[_Expansion, _Cost]:
    """Of every expansion that brought children, in the order of the expansions."""
    refused: dict[_Expansion, _Cost] = collections.defaultdict(_Cost)
    for one in tree.refused:
        refused[one.node, one.created_at] += _Cost(one.n_tokens, 0, int(one.reason == "error"))
    costs: dict[_Expansion, _Cost] = {}
    for node, parent in enumerate(tree.parent):
        if parent == NO_PARENT:
            continue
        place, tokens = _expansion(tree, node), tree.n_tokens[node]
        judged = 0 if math.isnan(tree.ppm[node]) else tokens
        costs[place] = costs.get(place, refused[place]) + _Cost(tokens, judged, int(bool(tree.outcome[node])))
    return costs


def _expansion(tree: Tree, child: int) -> _Expansion:
    return tree.parent[child], tree.created_at[child]


def _clean(answer: str) -> str:
    """Half surrogate pairs, which a model may write and Parquet cannot hold, as escapes."""
    return answer.encode("utf-8", "backslashreplace").decode("utf-8")
