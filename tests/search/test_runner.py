"""Many problems on one host: resumable down to the problem, and always the same bytes."""

from __future__ import annotations

import asyncio
import os
import pathlib
import signal
import subprocess
import sys
import time
from types import ModuleType

import pytest

from rstar_jax import files
from rstar_jax.errors import InputError
from rstar_jax.problems.files import read_problems
from rstar_jax.problems.problem import Problem
from rstar_jax.search import presets, runner, store
from rstar_jax.search.budget import Budget, Spent
from rstar_jax.search.tree import Tree


@pytest.fixture(scope="module")
def undisturbed(fakes: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    folder = tmp_path_factory.mktemp("undisturbed")
    asyncio.run(fakes.run_many(str(folder)))
    return (folder / runner.TREES).read_bytes()


def test_all_trees_in_order(undisturbed: bytes, tmp_path: pathlib.Path):
    (tmp_path / "trees.parquet").write_bytes(undisturbed)
    places = [(tree.problem.id, tree.index) for tree in store.read_trees(tmp_path / "trees.parquet")]
    assert places == sorted(places)
    assert len(places) == 24


@pytest.mark.parametrize("concurrency", [1, 12])
def test_order_of_completion_does_not_matter(
    fakes: ModuleType, undisturbed: bytes, tmp_path: pathlib.Path, concurrency: int
):
    asyncio.run(fakes.run_many(str(tmp_path), seconds=0.001, concurrency=concurrency))
    assert (tmp_path / runner.TREES).read_bytes() == undisturbed
    assert sorted(file.name for file in tmp_path.iterdir()) == ["parts", "run.json", "spent.json", "trees.parquet"]
    assert not list((tmp_path / runner.PARTS).iterdir())


def test_killed_twice_and_resumed(fakes: ModuleType, undisturbed: bytes, tmp_path: pathlib.Path):
    """SIGKILL in the middle of a run, twice; finished problems are kept, and the last run completes the same file."""
    parts = tmp_path / runner.PARTS
    for wanted in (2, 5):
        command = [sys.executable, fakes.__file__, str(tmp_path), "0.02"]
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 60
        while len(list(parts.glob("*.parquet"))) < wanted and process.poll() is None:
            assert time.monotonic() < deadline
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
        assert not (tmp_path / runner.TREES).exists()
    kept = {file: os.stat(file).st_mtime_ns for file in parts.glob("*.parquet")}
    assert len(kept) >= 5
    grown: list[str] = []

    async def trees(problem: Problem) -> list[Tree]:
        grown.append(problem.id)
        config = fakes.dataclasses.replace(presets.default("sample"), rollouts=6)
        return [await fakes.grow(config, problem, index=index) for index in range(2)]

    fingerprint = fakes.dataclasses.replace(presets.default("sample"), rollouts=6).hash()
    asyncio.run(runner.run(fakes.problems(12), trees, tmp_path, fingerprint=fingerprint))
    assert len(grown) == 12 - len(kept)
    assert (tmp_path / runner.TREES).read_bytes() == undisturbed
    assert not list(tmp_path.rglob("*.tmp-*"))


def test_a_finished_run_does_nothing(fakes: ModuleType, undisturbed: bytes, tmp_path: pathlib.Path):
    asyncio.run(fakes.run_many(str(tmp_path)))
    before = os.stat(tmp_path / runner.TREES).st_mtime_ns
    asyncio.run(fakes.run_many(str(tmp_path)))
    assert os.stat(tmp_path / runner.TREES).st_mtime_ns == before


def test_more_problems_later(fakes: ModuleType, undisturbed: bytes, tmp_path: pathlib.Path):
    asyncio.run(fakes.run_many(str(tmp_path), count=5))
    asyncio.run(fakes.run_many(str(tmp_path), count=12))
    assert (tmp_path / runner.TREES).read_bytes() == undisturbed


def test_killed_between_merging_and_clearing_up(fakes: ModuleType, undisturbed: bytes, tmp_path: pathlib.Path):
    asyncio.run(fakes.run_many(str(tmp_path)))
    first = next(store.iterate_trees(tmp_path / runner.TREES))
    store.write_trees(runner._part(tmp_path / runner.PARTS, first.problem.id), [first])
    asyncio.run(fakes.run_many(str(tmp_path)))
    assert (tmp_path / runner.TREES).read_bytes() == undisturbed
    assert not list((tmp_path / runner.PARTS).iterdir())


def test_what_a_search_raises_ends_the_run_and_keeps_the_rest(fakes: ModuleType, tmp_path: pathlib.Path):
    problems = fakes.problems(4)

    async def trees(problem: Problem) -> list[Tree]:
        if problem is problems[2]:
            raise ConnectionError("the server has gone")
        return [await fakes.grow(presets.paper(1), problem)]

    with pytest.raises(ExceptionGroup) as raised:
        asyncio.run(runner.run(problems, trees, tmp_path, fingerprint="a", concurrency=1))
    assert raised.group_contains(ConnectionError)
    assert len(list((tmp_path / runner.PARTS).iterdir())) == 2


def test_other_settings_and_other_problems_are_refused(fakes: ModuleType, tmp_path: pathlib.Path):
    async def trees(problem: Problem) -> list[Tree]:
        return [await fakes.grow(presets.paper(1), problem)]

    def start(problems: list[Problem], fingerprint: str = "a") -> None:
        asyncio.run(runner.run(problems, trees, tmp_path, fingerprint=fingerprint))

    start([Problem("p", "What?", "1")])
    with pytest.raises(InputError, match="other settings"):
        start([Problem("p", "What?", "1")], "b")
    with pytest.raises(InputError, match="another question"):
        start([Problem("p", "Who?", "1")])
    with pytest.raises(InputError, match="same id"):
        start([Problem("q", "Who?", "1")] * 2)


def test_a_budget_of_tokens_leaves_the_rest_out_and_can_be_raised(
    fakes: ModuleType, undisturbed: bytes, tmp_path: pathlib.Path
):
    problems, config = fakes.problems(12), fakes.dataclasses.replace(presets.default("sample"), rollouts=6)
    grown: list[str] = []

    async def trees(problem: Problem) -> list[Tree]:
        grown.append(problem.id)
        return [await fakes.grow(config, problem, index=index) for index in range(2)]

    def start(budget: Budget) -> list[str]:
        grown.clear()
        run = runner.run(problems, trees, tmp_path, fingerprint=config.hash(), concurrency=1, budget=budget)
        asyncio.run(run)
        return [problem.id for problem in read_problems(tmp_path / runner.LEFT_OUT)]

    left_out = start(Budget(tokens=1))
    assert left_out == [problem.id for problem in problems[1:]]
    spent = files.read_json(tmp_path / "spent.json")["tokens"]
    assert spent == sum(tree.tokens for tree in store.read_trees(tmp_path / runner.TREES))
    assert start(Budget(tokens=spent)) == left_out  # spent already: nothing is begun
    assert grown == []
    assert start(Budget(tokens=spent + 1)) == left_out[1:]
    assert len(grown) == 1
    asyncio.run(runner.run(problems, trees, tmp_path, fingerprint=config.hash()))
    assert not (tmp_path / runner.LEFT_OUT).exists()
    assert (tmp_path / runner.TREES).read_bytes() == undisturbed


def test_a_budget_of_hours_counts_all_starts(tmp_path: pathlib.Path):
    now = [100.0]
    spent = Spent(tmp_path, 5, clock=lambda: now[0])
    budget = Budget(hours=1.0)
    now[0] += 3000
    spent.add(7)
    assert (spent.tokens, spent.seconds, spent.reaches(budget)) == (12, 3000, False)
    spent = Spent(tmp_path, 12, clock=lambda: now[0])
    now[0] += 599
    assert not spent.reaches(budget)
    now[0] += 1
    assert spent.reaches(budget)
    assert not spent.reaches(Budget())
    for impossible in ({"tokens": 0}, {"hours": 0.0}):
        with pytest.raises(ValueError, match="lets nothing be done"):
            Budget(**impossible)


def test_plain_lines_without_a_terminal(fakes: ModuleType, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]):
    asyncio.run(fakes.run_many(str(tmp_path), count=3))
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("search: 3/3 problems; in this run ")


def test_no_problems(fakes: ModuleType, tmp_path: pathlib.Path):
    asyncio.run(fakes.run_many(str(tmp_path), count=0))
    assert store.read_trees(tmp_path / runner.TREES) == []
