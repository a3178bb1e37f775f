"""One solution without a tree: greedy System 1, and samples for majority voting and best-of-N (section 4)."""

from __future__ import annotations

import dataclasses
from typing import Literal

from rstar_jax.problems.problem import Problem
from rstar_jax.search.answers import Extract, extractor
from rstar_jax.search.protocols import Executor, Path, Proposer, sample_key
from rstar_jax.search.running import run_steps
from rstar_jax.trajectory.steps import Reading, is_error, show_fatal_error, show_output, step_kind

Ending = Literal["answer", "no_answer", "error", "overlong", "too_many_steps", "too_many_calls"]


@dataclasses.dataclass(frozen=True)
class Sample:
    """A sampled solution and how it ended; `answer` is "" unless it ended in one."""

    path: Path
    answer: str
    outcome: Ending
    n_tokens: int  # generated
    logprob: float  # of what was generated
    n_calls: int  # of Python

    @property
    def text(self) -> str:
        return self.path.text


async def sample_trajectory(
    problem: Problem,
    proposer: Proposer,
    executor: Executor,
    key: int,
    max_steps: int = 16,
    errors_threshold: int = 1,
    reading: Reading = "plain",
    extract: Extract | None = None,
) -> Sample:
    """Let the policy write a solution, running its code as it goes.

    It ends with an answer, with `errors_threshold` consecutive failing steps, at a length limit, or after
    `max_steps` steps. The released greedy pass draws whole code blocks (a matter of the proposer's stop
    strings) and allows 3 errors.
    """
    extract = extract or extractor(reading)
    path, errors, n_tokens, logprob, n_calls = Path(problem), 0, 0, 0.0, 0

    def ended(outcome: Ending, answer: str = "") -> Sample:
        return Sample(path, answer, outcome, n_tokens, logprob, n_calls)

    for number in range(max_steps):
        (proposal,) = await proposer.propose(path, 1, sample_key(key, number))
        n_tokens += proposal.n_tokens
        logprob += proposal.logprob
        text, kind = proposal.text, step_kind(path.steps, proposal.text, reading)
        answer = extract(text) if kind == "answer" else ""
        if answer:  # also where a length limit cut what follows the answer
            path = path.child(text)
            return ended("answer", answer)
        if proposal.finish != "stop":
            path = path.child(text)
            return ended("overlong")
        if kind in ("step", "code"):
            (execution,) = await run_steps(executor, path.steps, [text], reading)
            n_calls += 1
            errors = errors + 1 if is_error(execution.outcome, execution.output, reading) else 0
            if errors >= errors_threshold:
                path = path.child(show_fatal_error(text, execution.output, reading))
                return ended("error")
            if kind == "code":
                text = show_output(text, execution.output)
        path = path.child(text)
        if kind == "answer" and reading == "plain":  # an answer block without an answer
            return ended("answer")
    return ended("too_many_steps")
