"""Names of states: equal for equal states only, and none where that cannot be told."""

from __future__ import annotations

import ast
import asyncio

import pytest

from rstar_jax.execution import ExecutorConfig, ExecutorPool
from rstar_jax.execution.cell.digest import digest
from rstar_jax.problems.problem import Problem
from rstar_jax.search.config import SearchConfig
from rstar_jax.search.mcts import search
from rstar_jax.search.protocols import Execution, Path, Proposal

EQUAL = [
    ("x = 3", "x = 1 + 2  # the same"),
    ("a = 1\nb = 2", "b = 2\na = 1"),
    ("x = [1, {'k': (2, 3.5)}]", "x = [1]\nx.append({'k': (2, 7 / 2)})"),
    ("x = {3, 1, 2}", "x = {2, 3, 1}"),
    ("def f(n): return n + 1", "def f(n):\n    return n + 1"),
    ("import math\nroot = math.sqrt", "from math import sqrt as root\nimport math"),
    ("from fractions import Fraction\nx = Fraction(2, 4)", "from fractions import Fraction\nx = Fraction(1, 2)"),
]
DIFFERENT = [
    ("x = 1", "x = 2"),
    ("x = 1", "x = 1.0"),
    ("x = 1", "x = True"),
    ("x = '1'", "x = 1"),
    ("x = 1", "x = 1\ny = 1"),
    ("a = []\nb = []", "a = b = []"),
    ("x = {1: 2, 3: 4}", "x = {3: 4, 1: 2}"),
    ("x = [1, [2]]", "x = [1, 2]"),
    ("def f(n): return n + 1", "def f(n): return n + 2"),
    ("def f(n=1): return n", "def f(n=2): return n"),
    ("import random\nx = 1", "import random\nx = 1\nrandom.random()"),
]
UNKNOWN = [
    "class A: pass",
    "x = (k for k in range(3))",
    "x = [].append",
    "import math\nmath.pi = 3",
    "setattr(__import__('math'), 'pi', 3)",
    "x = object()",
    "x = []\nx.append(lambda y=object(): y)",
    "x = list(map(str, range(30_000)))\ny = [[k] for k in x]",
]


def name(program: str) -> str:
    namespace: dict[str, object] = {"__name__": "__main__"}
    exec(program, namespace)
    return digest(namespace, ast.parse(program).body, [])


@pytest.mark.parametrize(("one", "other"), EQUAL)
def test_equal_states_have_equal_names(one: str, other: str) -> None:
    assert name(one) == name(other) != ""


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_different_states_have_different_names(one: str, other: str) -> None:
    assert name(one) != name(other)
    assert name(one) != ""


@pytest.mark.parametrize(
    "program", [program for program in UNKNOWN if "math.pi" not in program and "setattr" not in program]
)
def test_what_cannot_be_described_has_no_name(program: str) -> None:
    assert name(program) == ""


@pytest.mark.parametrize("program", UNKNOWN)
def test_the_executor_names_states_when_asked(runner: asyncio.Runner, program: str) -> None:
    async def scenario() -> list[Execution]:
        async with ExecutorPool(ExecutorConfig(cells=1, states=True)) as pool:
            history = ("import sympy\ny = sympy.symbols('y')\n",)
            return await pool.expand(history, ["x = y * 2\n", "x = y + y\n", "x = y\n", "1 / 0\n", program])

    first, second, third, failing, unknown = runner.run(scenario())
    assert first.state == second.state != third.state
    assert third.state != ""
    assert failing.state == unknown.state == ""


def test_states_are_not_named_by_default(runner: asyncio.Runner) -> None:
    async def scenario() -> list[Execution]:
        async with ExecutorPool(ExecutorConfig(cells=1)) as pool:
            return await pool.expand((), ["x = 1\n"])

    assert runner.run(scenario()) == [Execution("ok")]


class Proposer:
    """Three first steps, two of which do the same; then an end."""

    async def propose(self, path: Path, n: int, key: int) -> list[Proposal]:
        if path.steps:
            return [Proposal("\n<answer>\\boxed{2}<end_of_answer>")]
        steps = ["x = 1 + 1", "x = 2", "x = 3", "x = 2", "x = 2  # again"]
        return [Proposal(f"<code>\n{step}\n<end_of_step>") for step in steps]


class Grader:
    async def grade(self, answer: str, truth: str) -> bool:
        return answer == truth


@pytest.mark.parametrize(("merge", "counts"), [(False, [1, 2, 1, 1]), (True, [4, 1])])
def test_search_merges_equal_states_and_keeps_their_counts(
    runner: asyncio.Runner, merge: bool, counts: list[int]
) -> None:
    async def scenario() -> tuple[list[str], list[int], list[str]]:
        async with ExecutorPool(ExecutorConfig(cells=1, states=True)) as pool:
            config = SearchConfig(rollouts=1, candidates=5, merge_states=merge)
            tree = await search(Problem("p", "What?", "2"), config, Proposer(), pool, Grader())
            top = tree.children[0]
            return (
                [tree.text[child] for child in top],
                [tree.count[child] for child in top],
                [one.text for one in tree.refused],
            )

    texts, found, refused = runner.run(scenario())
    assert found == counts
    assert "x = 1 + 1" in texts[0]
    assert any("again" in text for text in refused) == merge
