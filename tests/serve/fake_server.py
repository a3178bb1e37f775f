"""The server with made-up models, which answer from their arguments alone: everything about it but the engines.

As a program, `fake_server.py SECONDS LIMITS`, it is a whole server on a free port, whose fakes take up to SECONDS for
each answer; LIMITS are `serve.limits.Limits` as JSON.
"""

from __future__ import annotations

import asyncio
import dataclasses
import importlib.util
import json
import pathlib
import sys

from rstar_jax.errors import run_main
from rstar_jax.problems.problem import Problem
from rstar_jax.search import presets
from rstar_jax.serve.app import make_app
from rstar_jax.serve.limits import Limits
from rstar_jax.serve.process import bind, serve
from rstar_jax.serve.service import Service
from rstar_jax.thinking.thought import Effort, QuestionTooLong, Thought, begin, grow
from rstar_jax.thinking.view import note

FAKES = pathlib.Path(__file__).parents[1] / "search" / "fake_search.py"
EVAL = dataclasses.replace(presets.default("eval"), rollouts=4, candidates=5)
GRACE = 1.0


def load_fakes():
    spec = importlib.util.spec_from_file_location("fake_search", FAKES)
    module = importlib.util.module_from_spec(spec)
    sys.modules.setdefault(spec.name, module)
    spec.loader.exec_module(module)
    return module


class FakeSystem:
    """As `thinking.system.System`: a token a word, 40 of them; whoever asks for "sleep" waits for ever."""

    CONTEXT = 40

    def __init__(self, seconds: float = 0.0):
        self.fakes, self.seconds, self.failed = load_fakes(), seconds, False
        self.thinking = self.most = self.given_up = 0

    def prompt_tokens(self, problem: Problem) -> int:
        tokens = len(problem.question.split())
        if tokens >= self.CONTEXT:
            raise QuestionTooLong(f"the question has {tokens} tokens")
        return tokens

    def begin(self, problem: Problem, effort: Effort) -> Thought:
        return begin(problem, EVAL, effort)

    async def think(self, thought: Thought, **options) -> Thought:
        self.thinking += 1
        self.most = max(self.most, self.thinking)
        try:
            return await self._think(thought, **options)
        except asyncio.CancelledError:
            self.given_up += 1
            note("given up")
            raise
        finally:
            self.thinking -= 1

    async def _think(self, thought: Thought, **options) -> Thought:
        if "explode" in thought.problem.question:
            raise OSError("the device burns")
        fakes, asleep = self.fakes, "sleep" in thought.problem.question
        proposer = Asleep(fakes.FakeProposer()) if asleep else fakes.FakeProposer(self.seconds)
        return await grow(
            thought, proposer, fakes.FakeExecutor(self.seconds), fakes.FakeScorer(self.seconds), **options
        )


@dataclasses.dataclass
class Asleep:
    """Answers a few times only."""

    proposer: object
    times: int = 6

    async def propose(self, path, n, key):
        self.times -= 1
        if self.times < 0:
            await asyncio.sleep(600)
        return await self.proposer.propose(path, n, key)


async def run(seconds: float, limits: Limits) -> int:
    closing = asyncio.Event()
    with bind("127.0.0.1", 0) as sock:
        service = Service(FakeSystem(seconds), "fake", Effort(), limits, closing, note)
        return await serve(make_app(service), sock, closing, GRACE, note)


if __name__ == "__main__":
    run_main(lambda: asyncio.run(run(float(sys.argv[1]), Limits(**json.loads(sys.argv[2])))))
