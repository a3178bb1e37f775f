"""A policy, a PPM, an executor and a grader that need no model and no process, and answer from their arguments alone.

As a program, `fake_search.py FOLDER SECONDS`, it runs many problems with them, to be killed; each answer of a fake then
takes up to SECONDS.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import functools
import pathlib
import random
import sys
from collections.abc import AsyncIterator, Sequence
from typing import Any

from rstar_jax.problems.problem import Problem
from rstar_jax.search import presets, runner, shards
from rstar_jax.search.config import SearchConfig
from rstar_jax.search.mcts import search
from rstar_jax.search.protocols import Execution, Path, Proposal
from rstar_jax.search.tree import Tree

PROBLEM = Problem("p", "What?", "2")
SETTINGS = {
    "released-bootstrap": presets.released("bootstrap"),
    "released-sample": presets.released("sample"),
    "released-eval": presets.released("eval"),
    "paper-1": presets.paper(1),
    "paper-3": presets.paper(3),
    "paper-test": presets.paper("test"),
    "default-bootstrap": presets.default("bootstrap"),
    "default-sample": presets.default("sample"),
    "default-eval": presets.default("eval"),
    "drawn-again": SearchConfig(candidates=3, answer_candidates=2, expansions=3, failure_backup="root"),
    "drawn-again-ppm": SearchConfig(candidates=2, expansions=4, prior="visit", errors="leaf", exhausted="lazy"),
    "random-ties": SearchConfig(unvisited="parent", ties="random", prior="propagated", incomplete="drop"),
}


def problems(count: int) -> list[Problem]:
    return [Problem(f"problem/{number}", f"What is {number}?", str(number % 3 + 1)) for number in range(count)]


@dataclasses.dataclass
class Slow:
    """Takes a random time, which must not matter."""

    seconds: float = 0.0

    async def wait(self) -> None:
        if self.seconds:
            await asyncio.sleep(random.SystemRandom().uniform(0, self.seconds))


@dataclasses.dataclass
class FakeProposer(Slow):
    """Writes short solutions: one to three code steps, then an answer from 1 to 3; some of it fails or is cut."""

    async def propose(self, path: Path, n: int, key: int) -> list[Proposal]:
        await self.wait()
        dice = random.Random(f"{key} {path.problem.id} {path.text}")
        return [self._one(path, dice) for _ in range(n)]

    def _one(self, path: Path, dice: random.Random) -> Proposal:
        tokens = dice.randint(1, 9)
        if path.text.endswith("<end_of_output>"):
            text = f"\n<answer>It is \\boxed{{{dice.randint(1, 3)}}}.\n<end_of_answer>"
            return Proposal(text, "stop", -0.5 * tokens, tokens)
        start = "\n" if path.steps else "<code>\n"
        line = dice.choice(["x = 1", "x = 2", "x = 3", "fail()"])
        if dice.random() < 0.05:
            return Proposal(start + line, "length", -float(tokens), tokens)
        if dice.random() < 0.4 or len(path.steps) > 1:
            return Proposal(f"{start}{line}\nprint(x)\n<end_of_code>", "stop", -float(tokens), tokens)
        return Proposal(f"{start}{line}\n<end_of_step>", "stop", -float(tokens), tokens)


@dataclasses.dataclass
class FakeExecutor(Slow):
    """Fails where the program calls fail()."""

    async def expand(self, history: tuple[str, ...], snippets: Sequence[str]) -> list[Execution]:
        await self.wait()
        return [self._run("\n".join([*history, snippet])) for snippet in snippets]

    def _run(self, program: str) -> Execution:
        if "fail()" in program:
            return Execution("error", "NameError: name 'fail' is not defined")
        return Execution("ok", program[-10:].split("x = ")[-1][:1] if "print" in program else "")


@dataclasses.dataclass
class FakeScorer(Slow):
    """A number in [-1, 1] from the text."""

    async def score(self, paths: Sequence[Path]) -> list[float]:
        await self.wait()
        return [random.Random(path.text).uniform(-1, 1) for path in paths]


@dataclasses.dataclass
class FakeGrader(Slow):
    """Equal strings are equal."""

    async def grade(self, answer: str, truth: str) -> bool:
        await self.wait()
        return answer == truth


@dataclasses.dataclass
class ScriptedProposer:
    """Response so far → the steps proposed there; cut ones are marked by a final "…". Calls are recorded."""

    script: dict[str, list[str]]
    calls: list[tuple[str, int, int]] = dataclasses.field(default_factory=list)

    async def propose(self, path: Path, n: int, key: int) -> list[Proposal]:
        self.calls.append((path.text, n, key))
        texts = self.script[path.text]
        return [
            Proposal(text.removesuffix("…"), "length" if text.endswith("…") else "stop", -1.0, 10) for text in texts
        ]


async def grow(
    config: SearchConfig, problem: Problem = PROBLEM, seed: int = 0, seconds: float = 0.0, index: int = 0
) -> Tree:
    """One tree of the fakes."""
    return await search(
        problem,
        config,
        FakeProposer(seconds),
        FakeExecutor(seconds),
        FakeGrader(seconds),
        FakeScorer(seconds),
        seed=seed,
        tree_index=index,
    )


def content(tree: Tree) -> str:
    """Everything in a tree, comparable (NaN is not equal to itself)."""
    return repr(dataclasses.asdict(tree))


MANY = dataclasses.replace(presets.default("sample"), rollouts=6)  # the search of `run_many`


async def two_trees(problem: Problem, seconds: float = 0.0) -> list[Tree]:
    return [await grow(MANY, problem, seconds=seconds, index=index) for index in range(2)]


@contextlib.asynccontextmanager
async def open_grow(seconds: float = 0.0, unlucky: str | None = None) -> AsyncIterator[runner.Grow]:
    """The same in an actor of a cluster. unlucky: problems whose ids begin so fail."""

    async def trees(problem: Problem) -> list[Tree]:
        if unlucky is not None and problem.id.startswith(unlucky):
            raise ValueError(f"{problem.id} is unlucky")
        return await two_trees(problem, seconds)

    yield trees


@contextlib.asynccontextmanager
async def open_on_one_host(taken: str, failures: int) -> AsyncIterator[runner.Grow]:
    """The same, but on all hosts but the first it fails so many times, and where there is no folder `taken` always."""
    mine = pathlib.Path(taken) / "first"
    try:
        mine.touch(exist_ok=False)
    except FileExistsError:
        before = len(list(pathlib.Path(taken).glob("failed-*")))
        (pathlib.Path(taken) / f"failed-{before}").touch()
        if before < failures:
            raise RuntimeError("the chips are in use") from None
    yield functools.partial(two_trees, seconds=0.1)


async def run(
    some: Sequence[Problem],
    grow: runner.Grow,
    folder: str | pathlib.Path,
    *,
    fingerprint: str = "f",
    shard_problems: int = shards.SHARD_PROBLEMS,
    share: runner.Share = runner.WHOLE,
    **options: Any,
) -> None:
    """Begin a search or go on with it."""
    found = shards.begin(folder, some, fingerprint, shard_problems)
    await runner.run(shards.survey(found[share.index :: share.of]), grow, share=share, **options)


async def run_many(
    folder: str, count: int = 12, seconds: float = 0.0, concurrency: int = 4, shard_problems: int = 4, **options: Any
) -> None:
    """Two trees for each of some problems."""
    trees = functools.partial(two_trees, seconds=seconds)
    options |= {"fingerprint": MANY.hash(), "concurrency": concurrency, "shard_problems": shard_problems}
    await run(problems(count), trees, folder, **options)


if __name__ == "__main__":
    asyncio.run(run_many(sys.argv[1], seconds=float(sys.argv[2])))
