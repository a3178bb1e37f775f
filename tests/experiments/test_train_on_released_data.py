"""The script itself, on small files: both jobs, both sets of hyper-parameters, interruptions, mistakes."""

from __future__ import annotations

import importlib.util
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys

import jax
import numpy as np
import pytest

from rstar_jax.files import read_json, read_jsonl
from rstar_jax.models.config import ModelConfig
from rstar_jax.models.decoder import init_params
from rstar_jax.models.sharding import make_mesh
from rstar_jax.models.store import describe, load_model, save_model
from rstar_jax.training.metrics import MEASURED
from rstar_jax.trajectory.tags import POLICY_TOKENS, REWARD_TOKENS
from rstar_jax.trajectory.tokenizer import load_tokenizer, train_tokenizer

ROOT = pathlib.Path(__file__).parents[2]
_SPEC = importlib.util.spec_from_file_location("released_rows", ROOT / "tests" / "datasets" / "released_rows.py")
made = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(made)

SETTINGS = ("--row-length", "800", "--batch-size", "24", "--learning-rate", "1e-3", "--epochs", "2")


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> pathlib.Path:
    """sft.json, pairs.json and a tiny model in base/."""
    folder = tmp_path_factory.mktemp("released")
    sft = [made.sft_row(number) for number in range(120)]
    (folder / "sft.json").write_text(json.dumps(sft))
    (folder / "pairs.json").write_text(json.dumps([made.pair_row(number) for number in range(240)]))
    tokenizer = train_tokenizer([row["response"] for row in sft], 320)
    model = ModelConfig(tokenizer.vocab_size, d_model=8, n_layers=1, n_heads=2, n_kv_heads=1, head_dim=4, d_ff=8)
    with jax.set_mesh(make_mesh()):
        save_model(folder / "base", model, "lm", init_params(model, jax.random.key(0)), tokenizer)
    return folder


def start(
    folder: pathlib.Path, job: str, out: pathlib.Path, *options: str, last: tuple[str, ...] = (), devices: int = 1
) -> subprocess.Popen[str]:
    """`options` in pairs, which may replace what is given; `last` as they are."""
    data = "sft.json" if job == "policy" else "pairs.json"
    given = {"--job": job, "--model": str(folder / "base"), "--data": str(folder / data), "--out": str(out)}
    given |= dict(zip(options[::2], options[1::2], strict=True))
    script = ROOT / "experiments" / "train_on_released_data.py"
    command = [sys.executable, str(script), *(part for pair in given.items() for part in pair), *last]
    environment = os.environ | {"JAX_NUM_CPU_DEVICES": str(devices), "JAX_PLATFORMS": "cpu"}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finish(process: subprocess.Popen[str], code: int = 0) -> str:
    """What it printed; its last words, if it ended otherwise than it should."""
    out, errors = process.communicate(timeout=400)
    assert process.returncode == code, errors[-3000:]
    return out if code == 0 else errors


@pytest.mark.parametrize(
    ("job", "whose"),
    [
        ("policy", "paper"),
        pytest.param("policy", "released", marks=pytest.mark.slow),
        pytest.param("ppm", "paper", marks=pytest.mark.slow),
        ("ppm", "released"),
    ],
)
def test_a_model_is_trained(folder, tmp_path, job: str, whose: str) -> None:
    printed = finish(start(folder, job, tmp_path, "--hyperparameters", whose, "--held-out", "0.2", *SETTINGS))
    model = tmp_path / "model"
    assert printed.endswith(f"model: {model}\n")
    assert printed.count("held out, after epoch") == 2
    assert describe(model).head == ("lm" if job == "policy" else "value")
    tokenizer, added = load_tokenizer(model), POLICY_TOKENS if job == "policy" else REWARD_TOKENS
    assert tokenizer.encode("2 + 2") == load_tokenizer(folder / "base").encode("2 + 2")
    assert all(len(tokenizer.encode(token)) == 1 for token in added)
    assert describe(model).config.vocab_size == tokenizer.vocab_size
    rows = [row for row in read_jsonl(model / "metrics.jsonl") if "loss" in row]
    assert rows[-1]["loss"] < rows[0]["loss"]
    claim, written = read_json(tmp_path / "tokens" / "claim.json"), read_json(model / "config.json")
    assert claim["output_in_loss"] == ((job, whose) == ("policy", "released"))
    if job == "ppm":
        assert written["squash"] == ("tanh" if whose == "paper" else "raw")
        assert written.get("value_head", {}).get("dropout") == (None if whose == "paper" else 0.1)


@pytest.mark.slow
@pytest.mark.parametrize("job", ["policy", "ppm"])
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_a_run_that_was_ended_continues(folder, tmp_path, job: str, how: signal.Signals) -> None:
    options = ("--hyperparameters", "released", "--held-out", "0.2", "--checkpoint-every", "2", *SETTINGS[:-1], "30")
    finish(start(folder, job, tmp_path / "whole", *options))
    process = start(folder, job, tmp_path / "ended", *options)
    saves = tmp_path / "ended" / "model" / "checkpoints"
    while process.poll() is None and not any(saves.glob("[0-9]*")):
        pass
    process.send_signal(how)
    finish(process, code=0 if how is signal.SIGTERM else -how)
    assert not (tmp_path / "ended" / "model" / "config.json").exists()
    finish(start(folder, job, tmp_path / "ended", *options))
    models = [tmp_path / name / "model" for name in ("whole", "ended")]
    whole, ended = (load_model(model, make_mesh())[1] for model in models)
    jax.tree.map(np.testing.assert_array_equal, whole, ended)
    metrics = [
        [{name: value for name, value in row.items() if name not in MEASURED} for row in read_jsonl(file)]
        for file in (model / "metrics.jsonl" for model in models)
    ]
    assert metrics[0] == metrics[1]


def hosts(
    folder: pathlib.Path, out: pathlib.Path, *options: str, last: tuple[str, ...] = ()
) -> list[subprocess.Popen[str]]:
    """Two processes of a device each that train together."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        meet = ("--coordinator", f"127.0.0.1:{free.getsockname()[1]}", "--processes", "2")
    return [
        start(folder, "policy", out, *options, *meet, "--process", str(index), last=("--distributed", *last))
        for index in range(2)
    ]


@pytest.mark.slow
def test_two_hosts_train_what_one_does(folder, tmp_path) -> None:
    options, mesh = ("--held-out", "0.2", *SETTINGS), ("--mesh", "1", "2", "1")
    first, second = (finish(process) for process in hosts(folder, tmp_path / "two", *options, last=mesh))
    assert first.endswith(f"model: {tmp_path / 'two' / 'model'}\n")
    assert [line for line in second.splitlines() if not line.startswith("[Gloo]")] == []  # only the first speaks
    finish(start(folder, "policy", tmp_path / "one", *options, last=mesh, devices=2))
    one, two = (load_model(tmp_path / name / "model", make_mesh())[1] for name in ("one", "two"))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6), one, two)


def test_a_mistake_ends_all_hosts(folder, tmp_path) -> None:
    bad = tmp_path / "bad.json"
    bad.write_text('{"query": "q", "response": "r"}\n{"query": "q"}\n')
    mesh = ("--mesh", "1", "2", "1")
    for process in hosts(folder, tmp_path / "run", "--data", str(bad), *SETTINGS, last=mesh):
        assert f'{bad}, line 2: no "response"' in finish(process, code=2)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--data", "BAD"), 'line 2: no "response"'),
        (("--row-length", "5000"), "rows of 5000 tokens are longer than the 4096"),
        (("--model", "NOWHERE"), "no such folder"),
        (("--process", "1"), "given together or not"),
    ],
)
def test_a_mistake_is_one_sentence(folder, tmp_path, options: tuple[str, str], message: str) -> None:
    bad = tmp_path / "bad.json"
    bad.write_text('{"query": "q", "response": "r"}\n{"query": "q"}\n')
    options = tuple(str(bad) if option == "BAD" else option for option in options)
    errors = finish(start(folder, "policy", tmp_path / "run", *options), code=2)
    assert errors.startswith("Error: ")
    assert errors.count("\n") == 1
    assert message in errors
    assert not (tmp_path / "run" / "tokens").exists()
