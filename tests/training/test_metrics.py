"""What is said of a run: lines, speed, memory, curves, and how far it is."""

from __future__ import annotations

import dataclasses
import struct
import types

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rstar_jax.files import read_jsonl
from rstar_jax.training import progress, tensorboard
from rstar_jax.training.devices import memory_in_use, peak_flops
from rstar_jax.training.flops import train_flops
from rstar_jax.training.metrics import MEASURED, MetricsLog, Report
from rstar_jax.training.optimizer import TrainConfig
from rstar_jax.training.order import Plan
from rstar_jax.training.speed import Speed

ROWS = {
    "positions": np.array([[0, 1, 2, 0, 1, 0, 0, 0]] * 2),
    "segments": np.array([[1, 1, 1, 2, 2, 0, 0, 0]] * 2),
    "loss_mask": np.array([[False, True, True, False, True, False, False, False]] * 2),
}


class Clock:
    """Moves by hand."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def device(kind: str, **memory: int) -> types.SimpleNamespace:
    return types.SimpleNamespace(device_kind=kind, memory_stats=lambda: memory or None)


def fake_mesh(kind: str, n_devices: int) -> types.SimpleNamespace:
    return types.SimpleNamespace(devices=np.array([device(kind)] * n_devices), size=n_devices)


def test_speed_and_mfu(model) -> None:
    clock = Clock()
    speed = Speed(model, "lm", fake_mesh("TPU v5", 4), clock)
    for _ in range(3):
        speed.add(ROWS)
    clock.now = 6.0
    assert speed.look() == {
        "tokens_per_second": 3 * 10 / 6,
        "step_seconds": 2.0,
        "mfu": pytest.approx(train_flops(model, "lm", 10, 2 * (9 + 4) / 2, 6) / 2 / (4 * 459e12)),
    }
    assert speed.look() == {}
    speed.add(ROWS)
    speed.restart()
    assert speed.look() == {}


def test_no_mfu_where_the_peak_is_unknown(model) -> None:
    clock = Clock()
    speed = Speed(model, "lm", fake_mesh("cpu", 1), clock)
    speed.add(ROWS)
    clock.now = 1.0
    assert sorted(speed.look()) == ["step_seconds", "tokens_per_second"]
    assert peak_flops(device("NVIDIA H200")) == 989e12
    assert peak_flops(device("NVIDIA RTX 9999")) is None
    assert peak_flops(jax.devices("cpu")[0]) is None


def test_memory_is_named_after_what_it_is() -> None:
    assert memory_in_use(device("TPU v4", peak_bytes_in_use=7, bytes_in_use=5)) == {"device_peak_bytes": 7}
    (name, n_bytes), = memory_in_use(jax.devices("cpu")[0]).items()
    assert name == "process_bytes"
    assert n_bytes > 10 << 20


@pytest.fixture
def report(model, tmp_path):
    speed = Speed(model, "lm", fake_mesh("cpu", 1))
    log = MetricsLog(tmp_path / "metrics.jsonl", 0)
    shown = types.SimpleNamespace(advance=lambda text: None)
    return Report(TrainConfig(log_every=2), Plan(2, 4, 5), (log,), speed, shown)


def metrics(loss: float) -> dict[str, jax.Array]:
    return {"loss": jnp.float32(loss), "accuracy": jnp.float32(0.5), "gradient_norm": jnp.float32(1.0)}


def test_lines(report, tmp_path) -> None:
    for step in range(1, 6):
        report.add(step, np.array([step, -1]), ROWS, 0.1, metrics(step))
    report.flush()
    rows = read_jsonl(tmp_path / "metrics.jsonl")
    assert [row["step"] for row in rows] == [2, 4, 5]
    assert rows[0].items() >= {"loss": 2.0, "accuracy": 0.5, "epoch": 0.5, "valid_token_share": 10 / 16}.items()
    measured = {"tokens_per_second", "step_seconds", "process_bytes"}
    assert all(set(row) & set(MEASURED) == measured for row in rows)


def test_what_is_not_finite_is_named_with_its_rows(report, tmp_path) -> None:
    report.add(1, np.array([7, 3, -1]), ROWS, 0.1, metrics(1.0))
    report.add(2, np.array([8, 5, -1]), ROWS, 0.1, metrics(float("nan")))
    with pytest.raises(FloatingPointError, match=r"loss is nan at step 2, whose rows are \[8, 5\]"):
        report.add(3, np.array([6, 4, -1]), ROWS, 0.1, metrics(1.0))
    assert read_jsonl(tmp_path / "metrics.jsonl") == [{"step": 2, "not_finite": "loss", "rows": [8, 5]}]


def test_lines_in_a_log_file(monkeypatch, capsys) -> None:
    clock = Clock()
    monkeypatch.setattr(progress, "time", types.SimpleNamespace(monotonic=clock))
    shown = progress.make_progress("policy", 10, 4)
    for step in range(5, 11):
        clock.now += 4.0
        shown.advance(f"loss {step}")
    shown.close()
    assert capsys.readouterr().err.splitlines() == [
        "policy: step 7/10; loss 7; 12 s, about 12 s left",
        "policy: step 10/10; loss 10; 24 s, about 0 s left",
    ]


def test_a_bar_on_a_terminal(monkeypatch, capsys) -> None:
    monkeypatch.setattr(progress.sys.stderr, "isatty", lambda: True)
    shown = progress.make_progress("policy", 10, 4)
    shown.advance("loss 0.5")
    shown.close()
    assert "5/10" in capsys.readouterr().err


def test_curves(tmp_path) -> None:
    """As TensorBoard reads them: a step that a killed run wrote is purged when it is done again."""
    events = pytest.importorskip("tensorboardX.proto.event_pb2")
    for resume_at, values in ((0, [1.0, 2.0, 3.0]), (1, [2.5])):
        board = tensorboard.TensorBoard(tmp_path, resume_at)
        for step, value in enumerate(values, start=resume_at + 1):
            board.write({"step": step, "loss": value, "rows": [1, 2], "not_finite": "loss"})
        board.close()
    curves, purged = [], []
    for path in sorted(tmp_path.iterdir()):
        data = path.read_bytes()
        while data:  # length, checksum, event, checksum
            (length,) = struct.unpack("<Q", data[:8])
            event, data = events.Event.FromString(data[12 : 12 + length]), data[16 + length :]
            curves += [(event.step, value.tag, value.simple_value) for value in event.summary.value]
            purged += [event.step] if event.HasField("session_log") else []
    assert curves == [(1, "loss", 1.0), (2, "loss", 2.0), (3, "loss", 3.0), (2, "loss", 2.5)]
    assert 2 in purged


def test_without_tensorboardx_one_line_says_so(tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.setattr(tensorboard.importlib.util, "find_spec", lambda name: None)
    tensorboard._is_installed.cache_clear()
    for folder in ("a", "b"):
        board = tensorboard.TensorBoard(tmp_path / folder, 0)
        board.write({"step": 1, "loss": 1.0})
        board.close()
    tensorboard._is_installed.cache_clear()
    assert capsys.readouterr().err.count("tensorboardX is not installed") == 1
    assert not list(tmp_path.iterdir())


def test_config_refuses_what_cannot_be() -> None:
    with pytest.raises(ValueError, match="profile_step=0"):
        TrainConfig(profile_step=0)
    with pytest.raises(ValueError, match="profile_steps=0"):
        dataclasses.replace(TrainConfig(), profile_steps=0)
