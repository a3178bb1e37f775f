"""Fakes for `evaluate`; as a program (`fake_evaluation.py OUT_DIR SECONDS`) it runs them, to be killed."""

from __future__ import annotations

import asyncio
import random
import sys
import time
from collections.abc import Callable, Sequence

from rstar_jax.evaluation.methods import Graders
from rstar_jax.evaluation.run import EvaluationConfig, Tools, evaluate
from rstar_jax.problems.problem import LEVELS, Problem
from rstar_jax.search.config import SearchConfig
from rstar_jax.search.protocols import Execution, Path, Proposal, sample_key

N_PROBLEMS = 12
SEARCH = SearchConfig(rollouts=3, candidates=3, terminal="ppm", prior="visit")
CONFIG = EvaluationConfig(n_trajectories=4, search=SEARCH, max_samples=12, concurrency=3)


def problems(n: int = N_PROBLEMS) -> list[Problem]:
    return [Problem(f"p/{i}", f"What is {i} + 1?", str(i + 1), LEVELS[i % 3]) for i in range(n)]


class FakePolicy:
    """One code step, then an answer that is right with probability `skill`, drawn from the key."""

    def __init__(self, skill: float, seconds: float = 0.0):
        self.skill = skill
        self.seconds = seconds
        self.asked: list[str] = []  # problem ids

    async def propose(self, path: Path, n: int, key: int) -> list[Proposal]:
        self.asked.append(path.problem.id)
        await asyncio.sleep(self.seconds)
        return [self._step(path, sample_key(key, i)) for i in range(n)]

    def _step(self, path: Path, key: int) -> Proposal:
        draw = random.Random(key)
        if not path.steps:
            return Proposal(f"<code>\n# way {draw.randrange(100)}\nprint(1)\n<end_of_code>", n_tokens=10)
        error = 0 if draw.random() < self.skill else draw.randrange(1, 3)
        answer = int(path.problem.answer) + error
        return Proposal(f"<answer>\\boxed{{{answer}}}<end_of_answer>", n_tokens=4)


class FakeScorer:
    """Likes right answers; every step has its own score."""

    async def score(self, paths: Sequence[Path]) -> list[float]:
        return [self._score(path) for path in paths]

    def _score(self, path: Path) -> float:
        jitter = random.Random(path.text).random() / 2
        return jitter if f"boxed{{{path.problem.answer}}}" in path.steps[-1] else jitter - 0.5


class FakeExecutor:
    async def expand(self, history: tuple[str, ...], snippets: Sequence[str]) -> list[Execution]:
        return [Execution("ok", "1") for _ in snippets]


class SameText:
    async def grade(self, answer: str, truth: str) -> bool:
        return answer == truth


class Within1:
    """Lenient, so that the two graders differ."""

    async def grade(self, answer: str, truth: str) -> bool:
        return abs(int(answer) - int(truth)) <= 1


GRADERS = Graders(strict=SameText(), released=Within1())


async def run(
    out_dir: str,
    config: EvaluationConfig = CONFIG,
    policy: FakePolicy | None = None,
    clock: Callable[[], float] = time.perf_counter,
    **options,
):
    policy = policy or FakePolicy(0.5)
    tools = Tools(policy, policy, FakeScorer(), FakeExecutor(), GRADERS, clock)
    return await evaluate(problems(), config, tools, out_dir, **options)


if __name__ == "__main__":
    asyncio.run(run(sys.argv[1], policy=FakePolicy(0.5, float(sys.argv[2]))))
