"""What is said of a run, from its files: before, during and after."""

from __future__ import annotations

import asyncio
import dataclasses
import datetime
import json
import os
import subprocess
import sys

import pytest

from rstar_jax.errors import InputError
from rstar_jax.evolution import status as status_module
from rstar_jax.evolution.failures import note_failure, read_failures
from rstar_jax.evolution.run_dir import RunDir
from rstar_jax.evolution.status import duration, read_status, render
from rstar_jax.files import write_json, write_jsonl
from rstar_jax.problems.files import write_problems
from rstar_jax.problems.problem import LEVELS, Problem
from rstar_jax.search import presets, shards
from rstar_jax.search.shards import trees_of
from rstar_jax.search.trajectories import n_correct


@pytest.fixture
def run(fakes, tmp_path) -> RunDir:
    """A run of two rounds and twelve problems of all levels that has only been claimed."""
    run = RunDir(tmp_path / "run")
    problems = [dataclasses.replace(one, level=LEVELS[n % 3]) for n, one in enumerate(fakes.problems(12))]
    write_json(run.config, {"name": "tiny", "seed": 3, "rounds": [{"number": 1}, {"number": 2}]})
    write_problems(run.problems / "train.jsonl", problems)
    return run


def search(fakes, run: RunDir, stop_after: int | None = None) -> None:
    """Round 1, broken off after some problems if asked."""
    from rstar_jax.problems.files import read_problems

    config, left = dataclasses.replace(presets.default("sample"), rollouts=4), [stop_after or 100]

    async def trees(problem):
        left[0] -= 1
        if left[0] < 0:
            raise ConnectionError("the server has gone")
        return [await fakes.grow(config, problem)]

    work = fakes.run(read_problems(run.problems / "train.jsonl"), trees, run.trees(1), concurrency=1)
    try:
        asyncio.run(work)
    except ExceptionGroup as error:
        note_failure(run.root, error, lambda: datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC))


def test_before_anything(run) -> None:
    status = read_status(run.root)
    assert (status.name, status.seed, status.finished, len(status.rounds)) == ("tiny", 3, False, 2)
    assert all(one.search.state == one.policy.state == one.ppm.state == "waiting" for one in status.rounds)
    assert "waiting" in render(status)


def test_in_the_middle_of_a_search(fakes, run) -> None:
    search(fakes, run, stop_after=5)
    parts = sorted((run.trees(1) / shards.PARTS).rglob("*.parquet"))
    for second, part in enumerate(parts):
        os.utime(part, (1000 + 2 * second, 1000 + 2 * second))
    found = read_status(run.root).rounds[0].search
    assert (found.state, found.done, found.total, found.left_out) == ("begun", 5, 12, 0)
    assert found.per_second == 0.5
    assert found.seconds_left == 14.0
    assert [done for done, _ in found.levels.values()] == [2, 2, 1]
    text = render(read_status(run.root))
    assert "5 of 12 problems" in text
    assert "0.5 problems/s, about 14 s left" in text
    assert "failed 2026-01-02T00:00:00+00:00: ConnectionError: the server has gone" in text


def test_solved_by_level_and_a_search_that_is_done(fakes, run) -> None:
    search(fakes, run, stop_after=5)
    search(fakes, run)
    trees = list(trees_of(run.trees(1)))
    found = read_status(run.root).rounds[0].search
    assert found.state == "done"
    for level in LEVELS:
        mine = [tree for tree in trees if tree.problem.level == level]
        assert found.levels[level] == (4, sum(bool(n_correct(tree)) for tree in mine))
    assert found.seconds_left is None


def test_files_may_go_while_they_are_looked_at(run, monkeypatch) -> None:
    listed = status_module._files

    def with_one_that_is_gone(folder):
        yield folder / "merged-away.parquet"
        yield from listed(folder)

    monkeypatch.setattr(status_module, "_files", with_one_that_is_gone)
    assert read_status(run.root).seconds_since < 60


def test_what_the_budget_left_out(fakes, run) -> None:
    from rstar_jax.problems.files import read_problems
    from rstar_jax.search.budget import Budget

    async def trees(problem):
        return [await fakes.grow(presets.paper(1), problem)]

    problems = read_problems(run.problems / "train.jsonl")
    asyncio.run(fakes.run(problems, trees, run.trees(1), concurrency=1, budget=Budget(tokens=1)))
    found = read_status(run.root).rounds[0].search
    assert (found.state, found.done, found.left_out) == ("done", 1, 11)
    assert "11 left out by the budget" in render(read_status(run.root))


def test_a_model_in_training_and_one_that_is_done(run) -> None:
    for folder, step in ((run.policy(1), 30), (run.ppm(1), 10)):
        write_json(folder / "run.json", {"steps": {"n_steps": 30}})
        rows = [{"step": n, "loss": 1 / n, "step_seconds": 0.5} for n in range(10, step + 1, 10)]
        write_jsonl(folder / "metrics.jsonl", [*rows, {"step": step, "held_out_loss": 2.0}])
    write_json(run.policy(1) / "config.json", {})
    with (run.ppm(1) / "metrics.jsonl").open("a") as file:
        file.write('{"step": 20, "lo')
    first = read_status(run.root).rounds[0]
    assert (first.policy.state, first.policy.done) == ("done", 30)
    assert (first.ppm.state, first.ppm.done, first.ppm.loss, first.ppm.seconds_left) == ("begun", 10, 0.1, 10.0)
    assert "step 10 of 30, loss 0.1000; 2 steps/s, about 10 s left" in render(read_status(run.root))


def test_the_base_and_evaluations(run) -> None:
    assert read_status(run.root).base.state == "waiting"
    write_json(run.base / "config.json", {})
    assert "base          published" in render(read_status(run.root))
    write_json(run.base / "run.json", {"steps": {"n_steps": 30}})
    write_jsonl(run.base / "metrics.jsonl", [{"step": 30, "loss": 0.5}])
    write_problems(run.problems / "test.jsonl", [Problem(name, "What?", "2") for name in "abc"])
    parts = run.evaluation(1, "SLM-r1") / "parts"
    parts.mkdir(parents=True)
    (parts / "a.parquet").touch()
    text = render(read_status(run.root))
    assert "base          step 30 of 30, loss 0.5000" in text
    assert "evaluation  SLM-r1: 1 of 3 problems" in text


def test_the_command(run, tmp_path) -> None:
    def status(*options) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "rstar_jax.evolution.status", *map(str, options)]
        return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)

    assert status(run.root).stdout.startswith("tiny, seed 3: not finished; last written to ")
    assert json.loads(status(run.root, "--json").stdout)["rounds"][1]["number"] == 2
    nowhere = status(tmp_path / "nowhere")
    assert (nowhere.returncode, nowhere.stderr) == (
        2,
        f"Error: {tmp_path / 'nowhere'}: no run there (it has no config.json)\n",
    )


def test_a_run_that_is_not_there(tmp_path) -> None:
    with pytest.raises(InputError, match="no run there"):
        read_status(tmp_path)


def test_failures_are_kept_in_order(tmp_path) -> None:
    assert read_failures(tmp_path) == []
    note_failure(tmp_path, ExceptionGroup("two", [ExceptionGroup("one", [ValueError("a\nb")]), KeyError("c")]))
    note_failure(tmp_path, RuntimeError("d"))
    assert [row["what"] for row in read_failures(tmp_path)] == ["ValueError: a\nb", "RuntimeError: d"]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 s"), (59.4, "59 s"), (60, "1 min 0 s"), (3661, "1 h 1 min"), (90_000, "1 d 1 h"), (0.4, "0 s")],
)
def test_durations(seconds: float, words: str) -> None:
    assert duration(seconds) == words
