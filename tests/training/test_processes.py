"""Several processes train what one trains: real ones, that meet on loopback and share a folder."""

from __future__ import annotations

import os
import pathlib
import signal
import socket
import subprocess
import sys
import time

import jax
import numpy as np
import pytest

from rstar_jax.files import read_jsonl
from rstar_jax.models.store import load_model
from rstar_jax.training.metrics import MEASURED

_SCRIPT = pathlib.Path(__file__).with_name("processes.py")
N_STEPS = 12


def start(workdir: pathlib.Path, job: str, n_processes: int, seconds: float = 0.0) -> list[subprocess.Popen]:
    """All processes of a run; four devices among them."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    return [
        subprocess.Popen(
            [sys.executable, _SCRIPT, workdir, job, str(n_processes), str(index), str(port), str(seconds)],
            env=os.environ | {"JAX_NUM_CPU_DEVICES": str(4 // n_processes), "JAX_PLATFORMS": "cpu"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for index in range(n_processes)
    ]


def finish(processes: list[subprocess.Popen]) -> list[str]:
    """Wait for all; what they said."""
    try:
        said = [process.communicate(timeout=240)[0] for process in processes]
    finally:
        for process in processes:
            process.kill()
    assert [process.returncode for process in processes] == [0] * len(processes), "\n\n".join(said)[-6000:]
    return said


def results(workdir: pathlib.Path) -> tuple[dict, list[dict]]:
    """Parameters and metrics, without what depends on the clock."""
    rows = read_jsonl(workdir / "metrics.jsonl")
    lines = [{name: value for name, value in row.items() if name not in MEASURED} for row in rows]
    return jax.device_get(load_model(workdir)[1]), lines


def assert_close(found: tuple[dict, list[dict]], wanted: tuple[dict, list[dict]], rtol: float, atol: float) -> None:
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=rtol, atol=atol), found[0], wanted[0])
    assert [list(row) for row in found[1]] == [list(row) for row in wanted[1]]
    for one, other in zip(found[1], wanted[1], strict=True):
        np.testing.assert_allclose(list(one.values()), list(other.values()), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("job", ["policy", pytest.param("ppm", marks=pytest.mark.slow)])
def test_two_processes_train_what_one_trains(job: str, tmp_path) -> None:
    runs = {n: start(tmp_path / str(n), job, n) for n in (1, 2)}
    for processes in runs.values():
        finish(processes)
    one, two = results(tmp_path / "1"), results(tmp_path / "2")
    assert [row["step"] for row in two[1] if "loss" in row] == list(range(1, N_STEPS + 1))
    assert_close(two, one, rtol=1e-5, atol=1e-6)
    assert {path.name for path in (tmp_path / "2").iterdir()} == {path.name for path in (tmp_path / "1").iterdir()}


def wait_for_lines(workdir: pathlib.Path, n_lines: int, processes: list[subprocess.Popen]) -> None:
    path = workdir / "metrics.jsonl"
    while not path.exists() or len(read_jsonl(path)) < n_lines:
        assert all(process.poll() is None for process in processes), finish(processes)
        time.sleep(0.1)


@pytest.mark.slow
def test_a_signal_to_one_stops_both_at_the_same_step_and_both_go_on(tmp_path) -> None:
    whole = start(tmp_path / "whole", "policy", 2)
    finish(whole)
    folder = tmp_path / "stopped"
    stopped = start(folder, "policy", 2, seconds=0.5)
    wait_for_lines(folder, 3, stopped)
    stopped[1].send_signal(signal.SIGTERM)
    said = finish(stopped)
    steps = [int(path.name) for path in (folder / "checkpoints").iterdir() if path.is_dir()]
    assert 3 <= max(steps) < N_STEPS
    assert f"SIGTERM; step {max(steps)} was saved" in said[0]
    finish(start(folder, "policy", 2))
    found, wanted = results(folder), results(tmp_path / "whole")
    jax.tree.map(np.testing.assert_array_equal, found[0], wanted[0])
    assert found[1] == wanted[1]


@pytest.mark.slow
def test_a_damaged_save_is_skipped_by_both(tmp_path) -> None:
    """What is damaged belongs to the second process alone: its half of the weights, which only it reads."""
    finish(start(tmp_path / "whole", "ppm", 2))
    folder = tmp_path / "killed"
    killed = start(folder, "ppm", 2, seconds=0.5)
    saves = folder / "checkpoints"
    while not (saves / "10").exists():
        assert all(process.poll() is None for process in killed), finish(killed)
        time.sleep(0.05)
    for process in killed:
        process.kill()
        process.wait()
    damaged = [path for path in (saves / "10").glob("state/ocdbt.process_1/d/*") if path.stat().st_size > 500]
    assert damaged
    for path in damaged:
        os.truncate(path, path.stat().st_size // 2)
    said = finish(start(folder, "ppm", 2))
    assert all("10 cannot be restored" in text for text in said)
    assert "another process cannot read it" in said[0]
    found, wanted = results(folder), results(tmp_path / "whole")
    jax.tree.map(np.testing.assert_array_equal, found[0], wanted[0])
    assert found[1] == wanted[1]
