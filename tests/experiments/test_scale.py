"""The benchmark of scale on a run that is small enough to make here."""

from __future__ import annotations

import dataclasses
import importlib
import json
import pathlib
import sys
from typing import Any

import pytest

from rstar_jax.errors import InputError
from rstar_jax.evolution.run_dir import RunDir
from rstar_jax.search import shards
from rstar_jax.search.store import read_trees

BENCHMARKS = pathlib.Path(__file__).parents[2] / "experiments" / "benchmarks"
COUNT = 156  # ten shards of 16, the last of them with 12 problems


@pytest.fixture(scope="module")
def scale() -> Any:
    sys.path.insert(0, str(BENCHMARKS))
    try:
        yield importlib.import_module("scale")
    finally:
        sys.path.remove(str(BENCHMARKS))


@pytest.fixture
def small(scale, monkeypatch) -> Any:
    monkeypatch.setattr(scale, "CONFIG", dataclasses.replace(scale.CONFIG, shard_problems=16))
    monkeypatch.setattr(scale, "PARTS", 5)
    return scale


def test_the_run_that_it_makes_is_one(small, tmp_path) -> None:
    run = RunDir(tmp_path)
    small.make(run, COUNT)
    done, todo = small.all_shards(run)[:2], small.all_shards(run)[2:]
    assert (len(done), len(todo), len(todo[-1].problems)) == (2, 8, 12)
    assert list(shards.survey(done + todo).missing) == todo
    assert [len(shards.resume(shard)) for shard in todo] == [5, 5, 0, 0, 0, 0, 0, 0]
    assert [tree.problem for tree in read_trees(done[1].file)] == list(done[1].problems)
    assert all(100 <= len(problem.question) <= 400 for problem in done[1].problems)
    small.measure("shard", run, COUNT)
    assert list(shards.survey(todo).missing) == todo[1:]
    small.make(run, COUNT)
    assert len(shards.resume(todo[0])) == 5


def test_its_figures_are_one_flat_object(small, monkeypatch, tmp_path) -> None:
    monkeypatch.setattr(small, "in_a_process", lambda part, folder, count: small.measure(part, RunDir(folder), count))
    small.main(small.Options(problems=COUNT, json=tmp_path / "figures.json"))
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert all(isinstance(value, int | float) for value in figures.values())
    assert {f"{part}_{name}" for part in small.PARTS_OF for name in ("seconds", "mib")} <= set(figures)
    assert (figures["shards"], figures["status_done"], figures["status_total"]) == (10, 2 * 16 + 2 * 5, COUNT)
    assert 0 < figures["start_read_seconds"] < figures["start_seconds"] < 60


def test_a_measurement_in_a_process_of_its_own(small, tmp_path) -> None:
    small.make(RunDir(tmp_path), COUNT)
    found = small.in_a_process("stage", tmp_path, COUNT)
    assert set(found) == {"seconds", "mib"}
    assert 50 < found["mib"] < 2000


def test_a_run_has_to_leave_shards_over(scale) -> None:
    with pytest.raises(InputError, match="too few"):
        scale.main(scale.Options(problems=8 * 256))
