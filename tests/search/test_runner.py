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
from rstar_jax.search import presets, runner, shards, store
from rstar_jax.search.budget import Budget, Spent, stopped_by
from rstar_jax.search.tree import Tree


@pytest.fixture(scope="module")
def undisturbed(fakes: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("undisturbed")
    asyncio.run(fakes.run_many(str(folder)))
    return contents(folder)


def contents(folder: pathlib.Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in shards.shard_files(folder)}


def parts_of(folder: pathlib.Path) -> list[pathlib.Path]:
    return sorted((folder / shards.PARTS).rglob("*.parquet"))


def test_all_trees_in_the_order_of_the_problems(fakes: ModuleType, tmp_path: pathlib.Path):
    asyncio.run(fakes.run_many(str(tmp_path)))
    places = [(tree.problem.id, tree.index) for tree in shards.trees_of(tmp_path)]
    assert places == [(problem.id, index) for problem in fakes.problems(12) for index in range(2)]
    names = [file.name for file in shards.shard_files(tmp_path)]
    assert names == ["shard-00000.parquet", "shard-00001.parquet", "shard-00002.parquet"]
    assert shards.is_over(tmp_path)
    trees = list(shards.trees_of(tmp_path))
    found = shards.summary_of(tmp_path)
    assert (found.problems, found.trees, found.tokens) == (12, 24, sum(tree.tokens for tree in trees))
    solved = {tree.problem.id for tree in trees if any(tree.correct)}
    assert found.levels == {trees[0].problem.level: (12, len(solved))}


@pytest.mark.parametrize("concurrency", [1, 12])
def test_order_of_completion_does_not_matter(
    fakes: ModuleType, undisturbed: dict[str, bytes], tmp_path: pathlib.Path, concurrency: int
):
    asyncio.run(fakes.run_many(str(tmp_path), seconds=0.001, concurrency=concurrency))
    assert contents(tmp_path) == undisturbed
    assert sorted(file.name for file in tmp_path.iterdir()) == ["parts", "run.json", *undisturbed, "spent"]
    assert not list((tmp_path / shards.PARTS).iterdir())


def test_killed_twice_and_resumed(fakes: ModuleType, undisturbed: dict[str, bytes], tmp_path: pathlib.Path):
    """SIGKILL in the middle of a run, twice; finished problems are kept, and the last run completes the same file."""
    for wanted in (2, 4):
        command = [sys.executable, fakes.__file__, str(tmp_path), "0.02"]
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 60
        while len(parts_of(tmp_path)) < wanted and process.poll() is None:
            assert time.monotonic() < deadline
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
        assert not shards.is_over(tmp_path)
    kept = len(parts_of(tmp_path)) + shards.summary_of(tmp_path).problems
    assert kept >= 4
    grown: list[str] = []

    async def trees(problem: Problem) -> list[Tree]:
        grown.append(problem.id)
        return [await fakes.grow(fakes.MANY, problem, index=index) for index in range(2)]

    asyncio.run(fakes.run(fakes.problems(12), trees, tmp_path, fingerprint=fakes.MANY.hash()))
    assert len(grown) == 12 - kept
    assert contents(tmp_path) == undisturbed
    assert not list(tmp_path.rglob("*.tmp-*"))


def test_a_finished_run_does_nothing(fakes: ModuleType, undisturbed: dict[str, bytes], tmp_path: pathlib.Path):
    asyncio.run(fakes.run_many(str(tmp_path)))
    before = [os.stat(file).st_mtime_ns for file in shards.shard_files(tmp_path)]
    asyncio.run(fakes.run_many(str(tmp_path)))
    assert [os.stat(file).st_mtime_ns for file in shards.shard_files(tmp_path)] == before


def test_processes_with_a_share_each(fakes: ModuleType, undisturbed: dict[str, bytes], tmp_path: pathlib.Path):
    """Together they leave what one process leaves, in whatever order they come."""
    asyncio.run(fakes.run_many(str(tmp_path), share=runner.Share(1, 2)))
    assert list(contents(tmp_path)) == ["shard-00001.parquet"]
    assert not shards.is_over(tmp_path)
    asyncio.run(fakes.run_many(str(tmp_path), share=runner.Share(0, 2)))
    assert contents(tmp_path) == undisturbed
    assert sorted(file.name for file in (tmp_path / "spent").iterdir()) == ["0-of-2.json", "1-of-2.json"]
    with pytest.raises(InputError, match="numbered from 0"):
        runner.Share(2, 2)


def test_the_size_of_shards_is_that_of_the_beginning(fakes: ModuleType, undisturbed: dict, tmp_path: pathlib.Path):
    shards.begin(tmp_path, fakes.problems(12), fakes.MANY.hash(), 4)
    asyncio.run(fakes.run_many(str(tmp_path), shard_problems=5))
    assert contents(tmp_path) == undisturbed


def test_killed_between_merging_and_clearing_up(
    fakes: ModuleType, undisturbed: dict[str, bytes], tmp_path: pathlib.Path
):
    asyncio.run(fakes.run_many(str(tmp_path)))
    (first, *_) = shards.begin(tmp_path, fakes.problems(12), fakes.MANY.hash())
    trees = list(shards.trees_of(tmp_path))[:2]
    store.write_trees(first.part(trees[0].problem), trees)
    shards.commit(first)
    assert contents(tmp_path) == undisturbed
    assert not list((tmp_path / shards.PARTS).iterdir())


def test_what_a_search_raises_ends_the_run_and_keeps_the_rest(fakes: ModuleType, tmp_path: pathlib.Path):
    problems = fakes.problems(4)

    async def trees(problem: Problem) -> list[Tree]:
        if problem is problems[2]:
            raise ConnectionError("the server has gone")
        return [await fakes.grow(presets.paper(1), problem)]

    with pytest.raises(ExceptionGroup) as raised:
        asyncio.run(fakes.run(problems, trees, tmp_path, fingerprint="a", concurrency=1))
    assert raised.group_contains(ConnectionError)
    assert len(parts_of(tmp_path)) == 2


def test_other_settings_and_other_problems_are_refused(fakes: ModuleType, tmp_path: pathlib.Path):
    async def trees(problem: Problem) -> list[Tree]:
        return [await fakes.grow(presets.paper(1), problem)]

    def start(problems: list[Problem], fingerprint: str = "a") -> None:
        asyncio.run(fakes.run(problems, trees, tmp_path, fingerprint=fingerprint))

    start([Problem("p", "What?", "1")])
    with pytest.raises(InputError, match="other settings"):
        start([Problem("p", "What?", "1")], "b")
    with pytest.raises(InputError, match="other problems"):
        start([Problem("p", "Who?", "1")])
    with pytest.raises(InputError, match="same id"):
        start([Problem("q", "Who?", "1")] * 2)
    files.write_json(tmp_path / shards.RUN, {"fingerprint": "a"})
    with pytest.raises(InputError, match="this version"):
        start([Problem("p", "What?", "1")])


def test_two_processes_that_both_have_all_shards(fakes: ModuleType, undisturbed: dict, tmp_path: pathlib.Path):
    """One was taken for dead. They get in each other's way, and both end well, with the trees of one."""
    command = [sys.executable, fakes.__file__, str(tmp_path), "0.005"]
    both = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    assert [process.communicate(timeout=120)[1][-2000:] for process in both if process.wait(120)] == []
    assert contents(tmp_path) == undisturbed


def test_a_budget_of_tokens_leaves_the_rest_out_and_can_be_raised(
    fakes: ModuleType, undisturbed: dict[str, bytes], tmp_path: pathlib.Path
):
    problems, config = fakes.problems(12), fakes.dataclasses.replace(presets.default("sample"), rollouts=6)
    grown: list[str] = []

    async def trees(problem: Problem) -> list[Tree]:
        grown.append(problem.id)
        return [await fakes.grow(config, problem, index=index) for index in range(2)]

    def start(budget: Budget) -> list[str]:
        grown.clear()
        options = {"fingerprint": config.hash(), "concurrency": 1, "shard_problems": 4}
        asyncio.run(fakes.run(problems, trees, tmp_path, budget=budget, **options))
        found = shards.begin(tmp_path, problems, config.hash())
        assert shards.is_over(tmp_path, budget)
        assert not shards.is_over(tmp_path, Budget(tokens=10**9))  # raised: there is more to do
        left = shards.write_left_out(tmp_path, found)
        rows = [problem.id for problem in read_problems(tmp_path / shards.LEFT_OUT)]
        assert len(rows) == left
        return rows

    left_out = start(Budget(tokens=1))
    assert left_out == [problem.id for problem in problems[1:]]
    spent = files.read_json(tmp_path / "spent" / "0-of-1.json")["tokens"]
    assert spent == sum(tree.tokens for tree in shards.trees_of(tmp_path))
    assert start(Budget(tokens=spent)) == left_out  # spent already: nothing is begun
    assert grown == []
    assert start(Budget(tokens=spent + 1)) == left_out[1:]
    assert len(grown) == 1
    asyncio.run(fakes.run(problems, trees, tmp_path, fingerprint=config.hash()))
    assert shards.write_left_out(tmp_path, shards.begin(tmp_path, problems, config.hash())) == 0
    assert not (tmp_path / shards.LEFT_OUT).exists()
    assert contents(tmp_path) == undisturbed


def test_a_budget_of_hours_counts_all_starts(tmp_path: pathlib.Path):
    now = [100.0]
    spent = Spent(tmp_path, "a", Budget(hours=1.0), tokens=5, clock=lambda: now[0])
    now[0] += 3000
    spent.add(7)
    assert (spent.tokens, spent.seconds, spent.is_spent()) == (12, 3000, False)
    spent = Spent(tmp_path, "b", Budget(hours=1.0), clock=lambda: now[0])  # another process goes on
    now[0] += 599
    assert not spent.is_spent()
    spent.write()
    assert stopped_by(tmp_path) == []
    now[0] += 1
    assert spent.is_spent()
    spent.write()
    assert stopped_by(tmp_path) == [Budget(hours=1.0)]
    assert not Spent(tmp_path, "c", clock=lambda: now[0]).is_spent()
    assert Budget(tokens=10, hours=2).divided(4) == Budget(tokens=3, hours=2)
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
    assert list(shards.trees_of(tmp_path)) == []
    assert shards.is_over(tmp_path)
