"""The loop: what was interrupted ends as if it had not been, bit by bit; and what is wrong is said."""

from __future__ import annotations

import dataclasses
import functools
import importlib.util
import os
import pathlib
import signal
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rstar_jax.datasets.packing import Packed
from rstar_jax.errors import InputError
from rstar_jax.files import read_jsonl
from rstar_jax.models.sharding import make_mesh
from rstar_jax.models.store import is_finished, load_model
from rstar_jax.training import loop
from rstar_jax.training.order import batch_rows, plan

_RUNS = pathlib.Path(__file__).with_name("runs.py")
_SPEC = importlib.util.spec_from_file_location("training_runs", _RUNS)
runs = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(runs)

N_STEPS = 12


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[pathlib.Path, dict]:
    """A run that nobody interrupted: folder and parameters."""
    folder = tmp_path_factory.mktemp("whole")
    return folder, runs.run(folder)


def assert_same_run(folder: pathlib.Path, params: dict, whole: tuple[pathlib.Path, dict]) -> None:
    """Equal parameters and equal metrics, bit by bit (but not equal speed)."""
    jax.tree.map(np.testing.assert_array_equal, params, whole[1])

    def rows(path: pathlib.Path) -> list[dict]:
        return [row | {"tokens_per_second": 0} for row in read_jsonl(path / "metrics.jsonl")]

    assert rows(folder) == rows(whole[0])


def test_it_learns_and_leaves_a_model(whole) -> None:
    folder, params = whole
    rows = read_jsonl(folder / "metrics.jsonl")
    assert [row["step"] for row in rows] == list(range(1, N_STEPS + 1))
    assert rows[-1]["loss"] < rows[0]["loss"]
    assert rows[-1]["epoch"] == 2
    config, loaded = load_model(folder, make_mesh())
    assert config == runs.MODEL
    jax.tree.map(np.testing.assert_array_equal, loaded, params)
    assert sorted(path.name for path in folder.iterdir()) == [
        "config.json",
        "metrics.jsonl",
        "params",
        "run.json",
    ]


def test_a_finished_run_is_not_run_again(whole, monkeypatch) -> None:
    monkeypatch.setattr(loop, "compile_step", None)
    assert_same_run(whole[0], runs.run(whole[0]), whole)


def test_sigkill(whole, tmp_path) -> None:
    killed = subprocess.run([sys.executable, _RUNS, tmp_path, "8"], capture_output=True, timeout=120)
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    assert not is_finished(tmp_path)
    assert any((tmp_path / "checkpoints").iterdir())
    assert_same_run(tmp_path, runs.run(tmp_path), whole)


def test_sigterm_saves_and_a_damaged_save_is_skipped(whole, tmp_path, monkeypatch) -> None:
    with monkeypatch.context() as patch:
        kill = functools.partial(os.kill, os.getpid(), signal.SIGTERM)
        patch.setattr(loop, "batch_rows", runs.at_step(7, kill))
        with pytest.raises(SystemExit) as ended:
            runs.run(tmp_path)
    assert ended.value.code == 0
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    saves = tmp_path / "checkpoints"
    assert sorted(path.name for path in saves.iterdir()) == ["6", "8"]
    for path in (path for path in (saves / "8").rglob("*") if path.is_file() and path.stat().st_size > 500):
        os.truncate(path, path.stat().st_size // 2)
    with pytest.warns(UserWarning, match="8 cannot be restored"):
        params = runs.run(tmp_path)
    assert_same_run(tmp_path, params, whole)


@pytest.mark.filterwarnings("error")
def test_microbatches_are_weighted_by_targets(whole, tmp_path) -> None:
    params = runs.run(tmp_path, dataclasses.replace(runs.CONFIG, microbatches=2))
    jax.tree.map(functools.partial(np.testing.assert_allclose, rtol=1e-3, atol=1e-5), params, whole[1])


def test_other_settings_need_another_folder(whole) -> None:
    with pytest.raises(InputError, match=r"another run.*train"):
        runs.run(whole[0], dataclasses.replace(runs.CONFIG, learning_rate=1e-3))


def test_a_loss_that_is_not_finite_stops_the_run(whole, tmp_path) -> None:
    broken = jax.tree.map(lambda leaf: jnp.full_like(leaf, jnp.nan), whole[1])
    with pytest.raises(FloatingPointError, match="at step 1"):
        runs.run(tmp_path, init=broken)
    assert not any(leaf.is_deleted() for leaf in jax.tree.leaves(broken))


def test_no_data_and_no_model_say_so(tmp_path) -> None:
    nothing = Packed({name: array[:0] for name, array in runs.dataset().arrays.items()}, 0, 3)
    with pytest.raises(InputError, match="no training data: 3 examples"):
        plan(runs.CONFIG, nothing, make_mesh())
    with pytest.raises(InputError, match="holds no model"):
        load_model(tmp_path, make_mesh())


def test_the_order_of_data_is_a_function_of_seed_and_step() -> None:
    steps = plan(runs.CONFIG, runs.dataset(), make_mesh())
    n_rows = runs.dataset().n_rows
    assert steps.n_steps == N_STEPS
    epochs = [
        [batch_rows(runs.CONFIG, steps, n_rows, epoch * steps.steps_per_epoch + step) for step in range(6)]
        for epoch in range(2)
    ]
    for epoch in epochs:
        seen = np.concatenate(epoch)
        assert sorted(seen[seen >= 0]) == list(range(n_rows))
    assert not np.array_equal(*map(np.concatenate, epochs))
