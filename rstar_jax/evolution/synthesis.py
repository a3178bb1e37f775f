r"""New problems from old ones, by a large model.

Section 3.4.1: in the way of Li et al. 2024, from the training sets of MATH and of AMC and AIME.

For each attempt the model is shown a seed problem and asked for a new one, then asked for so many solutions of it. The
problem is kept if enough of them agree, and their answer is its label: ten and three in the paper. The paper does not
give its prompts; these are ours. Labels may still be wrong, so problems of the source "synthetic" that the search
solves in less than half of its trajectories are dropped later (appendix A.1, `datasets.select`).
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any

from rstar_jax.grading import extract_answer, vote
from rstar_jax.journal import Journal
from rstar_jax.problems.files import named_by_content
from rstar_jax.problems.problem import Problem
from rstar_jax.problems.splits import normalised_question
from rstar_jax.search.protocols import sample_key

SOURCE = "synthetic"

Ask = Callable[[str, float, int], Awaitable[str]]
"""Text of a reply to a prompt, at a temperature, with a random seed."""

_NEW_PROBLEM = """Here is a problem from a mathematics competition:

{question}

Write one new problem that a student who can solve this one has to think about afresh. It should be of the same field
and at least as hard, but not the same problem with other numbers. It must be complete, free of contradictions, need no
picture, ask for one thing only, and have one final answer: a number or an expression.

Think it through first if you like. Then write the line

NEW PROBLEM:

and behind it the problem alone, without a solution."""

_SOLUTION = """Solve this problem step by step. End with the final answer in \\boxed{{}}; if the problem has none, say
so without a box.

{question}"""

_MARK = "NEW PROBLEM:"


@dataclasses.dataclass(frozen=True)
class SynthesisConfig:
    """Attributes:
    attempts: new problems asked for with each seed problem. The paper does not say how many; one gives about 11,000.
    solutions, agree: solutions of a new problem, and how many must have one answer (section 3.4.1).
    temperature: of problems and of solutions; the paper gives none. 1 for variety, which agreement then judges.
    seed: of the random keys.
    """

    attempts: int = 1
    solutions: int = 10
    agree: int = 3
    temperature: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        if not 1 <= self.agree <= self.solutions or self.attempts < 1:
            raise ValueError(f"{self.agree} of {self.solutions} solutions cannot agree in {self.attempts} attempts")


async def synthesise(
    seeds: Sequence[Problem],
    config: SynthesisConfig,
    ask: Ask,
    journal: Journal,
    concurrency: int = 16,
    on_attempt: Callable[[dict[str, Any]], None] = lambda row: None,
) -> None:
    """Make every attempt that the journal does not hold yet; each becomes a row of it, with all of its answers."""
    done = {(row["seed_problem"], row["attempt"]) for row in journal.rows()}
    missing = ((seed, number) for number in range(config.attempts) for seed in seeds if (seed.id, number) not in done)

    async def work() -> None:
        for seed, number in missing:  # shared by all workers
            row = await attempt(seed, number, config, ask)
            journal.add(row)
            on_attempt(row)

    async with asyncio.TaskGroup() as group:
        for _ in range(concurrency):
            group.create_task(work())


async def attempt(seed: Problem, number: int, config: SynthesisConfig, ask: Ask) -> dict[str, Any]:
    """One new problem with its answers and votes. `why_not` says why it is not kept, if it is not."""
    keys = [_key(config.seed, seed.id, number, draw) for draw in range(config.solutions + 1)]
    row: dict[str, Any] = {"seed_problem": seed.id, "attempt": number, "level": seed.level}
    reply = await ask(_NEW_PROBLEM.format(question=seed.question), config.temperature, keys[0])
    question = reply.rpartition(_MARK)[2].strip() if _MARK in reply else ""
    if not question:
        return row | {"why_not": "no problem in the reply"}
    row["question"] = question
    if normalised_question(question) == normalised_question(seed.question):
        return row | {"why_not": "the seed problem again"}
    prompt = _SOLUTION.format(question=question)
    replies = await asyncio.gather(*(ask(prompt, config.temperature, key) for key in keys[1:]))
    found = [extract_answer(solution) for solution in replies]
    answers = [answer for answer in found if answer is not None]
    row["answers"] = found
    if not answers:
        return row | {"why_not": "no answer"}
    first, votes = vote(answers)
    row |= {"answer": answers[first], "votes": int(votes)}
    return row if votes >= config.agree else row | {"why_not": "too few agree"}


def kept_problems(rows: Iterable[dict[str, Any]]) -> list[Problem]:
    """The problems that were kept, each question once, in the order of seed problems and attempts."""
    kept: dict[str, Problem] = {}
    for row in sorted(rows, key=lambda row: (row["attempt"], row["seed_problem"])):
        if "why_not" not in row:
            problem = Problem("", row["question"], row["answer"], row["level"], SOURCE)
            kept.setdefault(normalised_question(problem.question), problem)
    return list(map(named_by_content, kept.values()))


def _key(seed: int, problem_id: str, number: int, draw: int) -> int:
    """31 bits, which every server takes."""
    return sample_key(seed, problem_id, number, draw) >> 32
