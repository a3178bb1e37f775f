"""A run as a state machine whose state is its directory."""

from __future__ import annotations

import asyncio
import dataclasses

import pytest

from rstar_jax.errors import InputError
from rstar_jax.evolution.config import EvolutionConfig
from rstar_jax.evolution.evaluations import evaluations_of
from rstar_jax.evolution.lab import Lab
from rstar_jax.evolution.machine import Stage, is_done, next_stage, run_stage, stages_of
from rstar_jax.evolution.run_dir import RunDir
from rstar_jax.files import write_json
from rstar_jax.models.config import ModelConfig
from rstar_jax.problems.files import write_problems
from rstar_jax.search import shards

CONFIG = EvolutionConfig("x", ModelConfig(8, 8, 1, 1, 1, 8, 8))


def test_the_stages_of_a_run() -> None:
    order = [f"{stage.name} {stage.round}" for stage in stages_of(CONFIG)]
    assert order[:6] == ["search 1", "data 1", "base 0", "policy 1", "ppm 1", "evaluation 1"]
    assert order[6:11] == ["search 2", "data 2", "policy 2", "ppm 2", "evaluation 2"]
    assert order[-2:] == ["evaluation 0", "report 0"]
    assert len(order) == 4 * 5 + 3
    assert {stage.name: stage.who for stage in stages_of(CONFIG)} == {
        "search": "each", "data": "first", "base": "together", "policy": "together", "ppm": "together",
        "evaluation": "each", "report": "first",
    }  # fmt: skip
    with pytest.raises(InputError, match="no stage 'nonsense'"):
        Stage("nonsense", 1)


def test_what_comes_next_is_told_from_the_files(fakes, tmp_path) -> None:
    config, run = dataclasses.replace(CONFIG, rounds=CONFIG.rounds[:1]), RunDir(tmp_path)
    problems = fakes.problems(3)
    write_problems(run.problems / "train.jsonl", problems)
    write_problems(run.problems / "test.jsonl", problems)

    def searched() -> None:
        (one,) = shards.begin(run.trees(1), problems, "f")
        assert next_stage(config, run) == Stage("search", 1)
        shards.commit(one)  # as when a budget is spent: a file, but not of all
        assert next_stage(config, run) == Stage("search", 1)
        asyncio.run(fakes.run(problems, fakes.two_trees, run.trees(1)))

    def evaluated(number: int) -> None:
        for one in evaluations_of(config, number):
            parts = one.folder(run) / "parts"
            parts.mkdir(parents=True)
            for name in "ab":
                (parts / f"{name}.parquet").touch()
            assert not is_done(config, run, Stage("evaluation", number))
            (parts / "c.parquet").touch()

    steps = [
        searched,
        lambda: write_json(run.data_counts(1), {}),
        lambda: write_json(run.base / "config.json", {}),
        lambda: write_json(run.policy(1) / "config.json", {}),
        lambda: write_json(run.ppm(1) / "config.json", {}),
        lambda: evaluated(1),
        lambda: evaluated(0),
        lambda: write_json(run.summary, {}),
    ]
    for stage, step in zip(stages_of(config), steps, strict=True):
        assert next_stage(config, run) == stage
        step()
    assert next_stage(config, run) is None


def test_a_stage_waits_for_those_before_it(tmp_path) -> None:
    lab = Lab(CONFIG, RunDir(tmp_path), None, None, None)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="policy of round 1 comes after search of round 1, which is not over"):
        asyncio.run(run_stage(lab, Stage("policy", 1)))
    with pytest.raises(InputError, match="has no search of round 9; its rounds are 1, 2, 3, 4"):
        asyncio.run(run_stage(lab, Stage("search", 9)))
