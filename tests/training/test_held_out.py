"""Held-out data are reported on after each epoch, and change nothing in what is learned."""

from __future__ import annotations

import dataclasses
import functools
import importlib.util
import pathlib
import signal

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rstar_jax.datasets.packed import Packed
from rstar_jax.files import read_jsonl
from rstar_jax.models.sharding import make_mesh
from rstar_jax.training import loop
from rstar_jax.training.held_out import HeldOut
from rstar_jax.training.order import plan
from rstar_jax.training.sft import sft_loss

_SPEC = importlib.util.spec_from_file_location("training_runs", pathlib.Path(__file__).with_name("runs.py"))
runs = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(runs)

LOSS = functools.partial(sft_loss, runs.MODEL, remat="none")


def some(n_rows: int) -> Packed:
    return Packed({name: array[:n_rows] for name, array in runs.dataset().arrays.items()}, n_rows, 0)


def run(workdir: pathlib.Path, held_out: Packed | None, max_steps: int | None = None) -> dict:
    config = dataclasses.replace(runs.CONFIG, max_steps=max_steps)
    task = loop.Task("lm", LOSS)
    mesh = make_mesh()
    return loop.train(config, runs.MODEL, runs.first_params(), runs.dataset(), task, workdir, mesh, None, held_out)


def held_out_rows(workdir: pathlib.Path) -> list[dict]:
    return [row for row in read_jsonl(workdir / "metrics.jsonl") if "held_out_loss" in row]


def test_means_are_over_all_rows_however_they_are_cut() -> None:
    data, params = some(5), runs.first_params()
    total, sums = LOSS(params, jax.tree.map(jnp.asarray, data.arrays))
    found = HeldOut(data, LOSS, 2, make_mesh())(params)
    assert found["held_out_loss"] == pytest.approx(float(total / sums["weight"]), rel=1e-5)
    assert found["held_out_accuracy"] == pytest.approx(float(sums["accuracy"] / sums["weight"]), rel=1e-5)


def test_a_line_an_epoch_and_the_same_weights(tmp_path, monkeypatch) -> None:
    plain = run(tmp_path / "plain", None)
    watched = run(tmp_path / "watched", some(5))
    jax.tree.map(np.testing.assert_array_equal, plain, watched)
    lines = held_out_rows(tmp_path / "watched")
    assert [(line["step"], line["epoch"]) for line in lines] == [(6, 1), (12, 2)]
    assert lines[1]["held_out_loss"] < lines[0]["held_out_loss"]

    # Stopped in the step behind the first line, which is saved with it; or in the one before, where the line has to
    # wait for the next start, as the machine does not.
    for step, n_lines in ((6, 1), (5, 0)):
        folder = tmp_path / f"stopped in {step}"
        with monkeypatch.context() as patch:
            stop = functools.partial(signal.raise_signal, signal.SIGTERM)
            patch.setattr(loop, "batch_rows", runs.at_step(step, stop))
            with pytest.raises(SystemExit):
                run(folder, some(5))
        assert held_out_rows(folder) == lines[:n_lines]
        jax.tree.map(np.testing.assert_array_equal, run(folder, some(5)), plain)
        assert held_out_rows(folder) == lines


def test_a_limit_of_steps_ends_the_run_and_its_schedule(tmp_path) -> None:
    config = dataclasses.replace(runs.CONFIG, max_steps=4)
    assert plan(config, runs.dataset(), make_mesh()).n_steps == 4
    run(tmp_path, some(5), max_steps=4)
    rows = read_jsonl(tmp_path / "metrics.jsonl")
    assert [row["step"] for row in rows] == [1, 2, 3, 4, 4]
    assert rows[3]["learning_rate"] < rows[1]["learning_rate"] / 2
    with pytest.raises(ValueError, match="max_steps"):
        dataclasses.replace(runs.CONFIG, max_steps=0)
