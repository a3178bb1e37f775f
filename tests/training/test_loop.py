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
import time

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rstar_jax.datasets.packing import Packed
from rstar_jax.errors import InputError
from rstar_jax.files import read_jsonl
from rstar_jax.models.decoder import logical_axes
from rstar_jax.models.sharding import make_mesh
from rstar_jax.models.store import is_finished, load_model
from rstar_jax.training import loop
from rstar_jax.training.checkpoints import Checkpoints
from rstar_jax.training.metrics import MEASURED
from rstar_jax.training.optimizer import TrainConfig, make_optimizer
from rstar_jax.training.order import batch_rows, plan
from rstar_jax.training.state import abstract_state

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
    assert lines(folder) == lines(whole[0])


def lines(folder: pathlib.Path) -> list[dict]:
    """Of `metrics.jsonl`, without what depends on the clock."""
    rows = read_jsonl(folder / "metrics.jsonl")
    return [{name: value for name, value in row.items() if name not in MEASURED} for row in rows]


def test_it_learns_and_leaves_a_model(whole) -> None:
    folder, params = whole
    rows = read_jsonl(folder / "metrics.jsonl")
    assert [row["step"] for row in rows] == list(range(1, N_STEPS + 1))
    assert rows[-1]["loss"] < rows[0]["loss"]
    assert rows[-1]["epoch"] == 2
    config, loaded = load_model(folder, make_mesh())
    assert config == runs.MODEL
    jax.tree.map(np.testing.assert_array_equal, loaded, params)
    files = {path.name for path in folder.iterdir()}
    assert files - {"tensorboard"} == {"config.json", "metrics.jsonl", "params", "run.json"}


def test_a_finished_run_is_not_run_again(whole, monkeypatch) -> None:
    monkeypatch.setattr(loop, "compile_step", None)
    assert_same_run(whole[0], runs.run(whole[0]), whole)


def killed(workdir: pathlib.Path, deed: str, value: float) -> None:
    """A run that kills itself, see `runs.py`."""
    found = subprocess.run([sys.executable, _RUNS, workdir, deed, str(value)], capture_output=True, timeout=120)
    assert found.returncode == -signal.SIGKILL, found.stderr.decode()
    assert not is_finished(workdir)


def saved(workdir: pathlib.Path) -> list[str]:
    """Names of what lies in `checkpoints`: whole saves are numbers."""
    return sorted(path.name for path in (workdir / "checkpoints").iterdir() if path.is_dir())


def test_sigkill(whole, tmp_path) -> None:
    killed(tmp_path, "kill-at", 8)
    assert set(saved(tmp_path)) & {"3", "6"}  # which, the background knows
    assert_same_run(tmp_path, runs.run(tmp_path), whole)


@pytest.mark.slow
def test_sigkill_at_any_moment(whole, tmp_path) -> None:
    """Again and again in the same run: before the first save, within saves, between them, and before the end."""
    killed(tmp_path, "kill-at", 1)
    assert saved(tmp_path) == []
    in_the_middle = 0
    for seconds in (0.0, 0.002, 0.01, 0.03, 0.1):
        before = [name for name in saved(tmp_path) if name.isdigit()]
        killed(tmp_path, "kill-in-save", seconds)
        in_the_middle += not all(name.isdigit() for name in saved(tmp_path))
        after = [name for name in saved(tmp_path) if name.isdigit()]
        assert max(map(int, after), default=0) >= max(map(int, before), default=0)
    assert in_the_middle
    killed(tmp_path, "kill-at", N_STEPS - 1)
    assert set(saved(tmp_path)) & {"6", "9"}
    assert_same_run(tmp_path, runs.run(tmp_path), whole)


@pytest.mark.slow
def test_sigterm_within_a_step_saves_in_time(tmp_path) -> None:
    """Steps of a second; the signal comes within one, and the process ends well within the time that it has."""
    process = subprocess.Popen([sys.executable, _RUNS, tmp_path, "slow", "1"], stderr=subprocess.PIPE, text=True)
    while not (tmp_path / "metrics.jsonl").exists() or len(read_jsonl(tmp_path / "metrics.jsonl")) < 2:
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.05)
    time.sleep(0.4)
    start = time.monotonic()
    process.send_signal(signal.SIGTERM)
    said = process.communicate(timeout=60)[1]
    seconds = time.monotonic() - start
    assert process.returncode == 0, said
    last = read_jsonl(tmp_path / "metrics.jsonl")[-1]["step"]
    assert str(last) in saved(tmp_path)
    assert f"SIGTERM; step {last} was saved" in said
    assert "grace_seconds" not in said
    assert seconds < runs.CONFIG.grace_seconds / 3


def stopped(
    workdir: pathlib.Path, monkeypatch: pytest.MonkeyPatch, step: int, config: TrainConfig = runs.CONFIG
) -> None:
    """A run that SIGTERM reaches when it asks for the rows of `step`."""
    with monkeypatch.context() as patch:
        kill = functools.partial(os.kill, os.getpid(), signal.SIGTERM)
        patch.setattr(loop, "batch_rows", runs.at_step(step, kill))
        with pytest.raises(SystemExit) as ended:
            runs.run(workdir, config)
    assert ended.value.code == 0
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def damage(save: pathlib.Path) -> None:
    for path in (path for path in save.rglob("*") if path.is_file() and path.stat().st_size > 500):
        os.truncate(path, path.stat().st_size // 2)


def test_sigterm_saves_and_a_damaged_save_is_skipped(whole, tmp_path, monkeypatch) -> None:
    stopped(tmp_path, monkeypatch, 7)
    assert saved(tmp_path) == ["6", "8"]
    damage(tmp_path / "checkpoints" / "8")
    with pytest.warns(UserWarning, match="8 cannot be restored"):
        params = runs.run(tmp_path)
    assert_same_run(tmp_path, params, whole)


def test_sigterm_while_the_model_is_saved(whole, tmp_path, monkeypatch) -> None:
    """The model is finished first, and then the process ends."""
    save = loop.save_model

    def signalled(*args, **settings):
        signal.raise_signal(signal.SIGTERM)
        save(*args, **settings)

    monkeypatch.setattr(loop, "save_model", signalled)
    with pytest.raises(SystemExit) as ended:
        runs.run(tmp_path)
    assert ended.value.code == 0
    assert is_finished(tmp_path)
    assert_same_run(tmp_path, runs.run(tmp_path), whole)


def test_a_late_save_says_so(tmp_path, monkeypatch, capsys) -> None:
    stopped(tmp_path, monkeypatch, 1, dataclasses.replace(runs.CONFIG, grace_seconds=0.0))
    assert "later than the 0 s of grace_seconds" in capsys.readouterr().err


def test_weights_of_a_run_under_way(tmp_path, monkeypatch) -> None:
    """Its folder `checkpoints` is a model: of the newest state that can be read, the weights without the optimizer."""
    stopped(tmp_path, monkeypatch, 7)
    saves = tmp_path / "checkpoints"
    mesh, optimizer = make_mesh(), make_optimizer(runs.CONFIG, logical_axes(runs.MODEL))
    with Checkpoints(saves) as states:
        newest = states.restore(abstract_state(runs.MODEL, "lm", optimizer, mesh))
    assert int(newest.step) == 8
    config, params = load_model(saves, mesh)
    assert config == runs.MODEL
    jax.tree.map(np.testing.assert_array_equal, params, newest.params)
    with pytest.raises(InputError, match=r"holds no model.*under way.*checkpoints"):
        load_model(tmp_path, mesh)
    damage(saves / "8")
    with pytest.warns(UserWarning, match="8 cannot be restored"):
        before = load_model(saves, mesh)[1]
    assert not np.array_equal(before["outer"]["embed"], params["outer"]["embed"])
    damage(saves / "6")
    with pytest.warns(UserWarning, match="6 cannot be"), pytest.raises(InputError, match="no weights that can be read"):
        load_model(saves, mesh)


@pytest.mark.filterwarnings("error")
def test_microbatches_are_weighted_by_targets(whole, tmp_path) -> None:
    params = runs.run(tmp_path, dataclasses.replace(runs.CONFIG, microbatches=2))
    jax.tree.map(functools.partial(np.testing.assert_allclose, rtol=1e-3, atol=1e-5), params, whole[1])


def test_other_settings_need_another_folder(whole) -> None:
    with pytest.raises(InputError, match=r"another run.*train"):
        runs.run(whole[0], dataclasses.replace(runs.CONFIG, learning_rate=1e-3))


def test_settings_that_change_no_result_may_change(whole, monkeypatch) -> None:
    monkeypatch.setattr(loop, "compile_step", None)
    runs.run(whole[0], dataclasses.replace(runs.CONFIG, log_every=5, loss_chunk=16, remat="full", profile_step=1))


def test_a_loss_that_is_not_finite_stops_the_run(whole, tmp_path) -> None:
    broken = jax.tree.map(lambda leaf: jnp.full_like(leaf, jnp.nan), whole[1])
    with pytest.raises(FloatingPointError, match="at step 1"):
        runs.run(tmp_path, init=broken)
    assert not any(leaf.is_deleted() for leaf in jax.tree.leaves(broken))
    assert saved(tmp_path) == []


def test_the_state_before_what_is_not_finite_is_saved(whole, tmp_path) -> None:
    """Step 8 fails and is named with its rows; 7 is on disk, with the bits that it has in a run that does not fail."""
    steps = plan(runs.CONFIG, runs.dataset(), make_mesh())
    bad = batch_rows(runs.CONFIG, steps, runs.dataset().n_rows, 7)

    def loss(params, batch):
        total, sums = runs.LOSS(params, batch)
        fails = jnp.all(batch["tokens"] == runs.dataset().rows(bad)["tokens"])
        return jnp.where(fails, jnp.inf, total), sums

    config = dataclasses.replace(runs.CONFIG, checkpoint_every=5)
    for start in ([], ["5", "7"]):  # a second start ends as the first did, and leaves the same
        if start:
            assert saved(tmp_path) == start
        with pytest.raises(FloatingPointError, match=r"at step 8, whose rows are") as failed:
            runs.run(tmp_path, config, loss=loss)
        assert str(bad[bad >= 0].tolist()) in str(failed.value)
    assert_same_run(tmp_path, runs.run(tmp_path, config), whole)


def test_a_profile_of_some_steps(tmp_path) -> None:
    runs.run(tmp_path, dataclasses.replace(runs.CONFIG, max_steps=4, profile_step=2, profile_steps=2))
    (trace,) = (tmp_path / "profile").rglob("*.xplane.pb")
    assert trace.stat().st_size > 1000


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
