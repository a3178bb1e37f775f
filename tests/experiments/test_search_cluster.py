"""The search of a round on a real Ray cluster, with real programs run: hosts are killed and hang on the way."""

from __future__ import annotations

import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from rstar_jax.evolution.failures import read_failures
from rstar_jax.search.shards import trees_of

ROOT = pathlib.Path(__file__).parents[2]
EXPERIMENTS = ROOT / "experiments"
CONFIG = """
import dataclasses, runpy
def config(seed=0):
    whole = runpy.run_path({cpu!r})["config"](seed)
    problems = dataclasses.replace(whole.problems, train_per_level={per_level}, test_per_level=1)
    executor = dataclasses.replace(whole.executor, wall_seconds=60.0)  # two hosts and a test share two cores here
    return dataclasses.replace(whole, problems=problems, executor=executor, shard_problems=10, concurrency=4)
"""


ENGINES = """
import dataclasses, runpy
def config(seed=0):
    whole = runpy.run_path({tiny!r})["config"](seed)
    first, second = whole.rounds[:2]
    return dataclasses.replace(whole, rounds=(first, dataclasses.replace(second, proposer="policy")), shard_problems=8)
"""


def script(name: str, config: pathlib.Path, folder: pathlib.Path, *options: str) -> subprocess.Popen[str]:
    command = [sys.executable, str(EXPERIMENTS / name), "--config", str(config), "--run-dir", str(folder), *options]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def shards(folder: pathlib.Path, number: int = 1) -> dict[str, bytes]:
    trees = folder / f"round{number}" / "trees"
    return {file.name: file.read_bytes() for file in sorted(trees.glob("shard-*.parquet"))}


@pytest.mark.slow
def test_two_kills_and_a_hang_leave_the_trees_of_one_machine(tmp_path, ray_address, actors) -> None:
    """200 problems and more of the built-in example, each once, as on one machine."""
    config = tmp_path / "small.py"
    config.write_text(CONFIG.format(cpu=str(EXPERIMENTS / "configs" / "cpu.py"), per_level=6))
    alone = script("run_stage.py", config, tmp_path / "one", "--stage", "search", "--round", "1")
    assert alone.wait(timeout=900) == 0, alone.communicate()[0][-3000:]
    expected = shards(tmp_path / "one")
    assert len(expected) >= 20

    options = ("--round", "1", "--hosts", "2", "--resources", "CPU=0.5", "place=1", "--address", ray_address)
    search = script("search_cluster.py", config, tmp_path / "many", *options, "--stall-minutes", "0.5")

    def until(condition) -> None:
        deadline = time.monotonic() + 600
        while not condition():
            assert search.poll() is None, search.communicate()[0][-3000:]
            assert time.monotonic() < deadline
            time.sleep(0.05)

    until(lambda: len(shards(tmp_path / "many")) >= 2)
    first, second = actors()
    os.kill(first, signal.SIGKILL)
    until(lambda: len(actors()) == 2 and first not in actors() and len(shards(tmp_path / "many")) >= 6)
    os.kill(next(pid for pid in actors() if pid != second), signal.SIGKILL)
    until(lambda: len(actors()) == 2 and len(shards(tmp_path / "many")) >= 10)
    os.kill(second, signal.SIGSTOP)
    output = search.communicate(timeout=900)[0]
    assert search.returncode == 0, output[-3000:]
    assert shards(tmp_path / "many") == expected
    failures = [row["what"] for row in read_failures(tmp_path / "many")]
    assert sum("its host was lost" in what for what in failures) >= 2
    assert any("no problem finished within 30 s" in what for what in failures)


@pytest.mark.slow
def test_actors_with_engines_leave_the_trees_of_one_machine(tmp_path, ray_address) -> None:
    """Round 2: a policy that has been trained proposes, by an engine in each actor; all but the last bits."""
    config, one, many = tmp_path / "engines.py", tmp_path / "one", tmp_path / "many"
    config.write_text(ENGINES.format(tiny=str(ROOT / "tests" / "evolution" / "tiny_config.py")))
    before = [("search", 1), ("data", 1), ("base", 0), ("policy", 1), ("ppm", 1), ("evaluation", 1)]
    for stage, number in [*before, ("search", 2)]:
        if stage == "search" and number == 2:
            shutil.copytree(one, many)
        done = script("run_stage.py", config, one, "--stage", stage, "--round", str(number))
        output = done.communicate(timeout=300)[0]
        assert done.returncode == 0, output[-3000:]
    options = ("--round", "2", "--hosts", "2", "--resources", "CPU=0.5", "place=1", "--address", ray_address)
    search = script("search_cluster.py", config, many, *options)
    output = search.communicate(timeout=600)[0]
    assert search.returncode == 0, output[-3000:]
    ours, theirs = (list(trees_of(folder / "round2" / "trees")) for folder in (many, one))
    assert [(tree.problem, tree.text, tree.parent, tree.visits) for tree in ours] == [
        (tree.problem, tree.text, tree.parent, tree.visits) for tree in theirs
    ]
    for mine, other in zip(ours, theirs, strict=True):  # sums depend on who shares a batch
        np.testing.assert_allclose(mine.logprob, other.logprob, atol=1e-4)
