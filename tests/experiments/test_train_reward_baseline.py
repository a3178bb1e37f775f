"""The script itself, on trees of a file: both kinds, a second start, mistakes."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys

import jax
import pytest

from rstar_jax.files import read_json, read_jsonl
from rstar_jax.models.config import ModelConfig
from rstar_jax.models.decoder import init_params
from rstar_jax.models.sharding import make_mesh
from rstar_jax.models.store import describe, save_model
from rstar_jax.problems.problem import Problem
from rstar_jax.search.config import SearchConfig
from rstar_jax.search.store import write_trees
from rstar_jax.search.tree import ROOT, NewNode, Tree, backup, expand, new_tree
from rstar_jax.trajectory.tokenizer import train_tokenizer

SCRIPT = pathlib.Path(__file__).parents[2] / "experiments" / "train_reward_baseline.py"
SETTINGS = ("--row-length", "400", "--batch-size", "24", "--learning-rate", "1e-2", "--epochs", "4")


def grown(number: int) -> Tree:
    """Two steps; from one of them come right answers, from the other wrong ones."""
    tree = new_tree(Problem(f"p{number}", f"What is {number}?", "1"), SearchConfig())
    for name, right in (("good", True), ("bad", False)):
        (step,) = expand(tree, ROOT, [NewNode(f"<code>\n# {name}\nx = {number}\n<end_of_step>", "step")])
        for copy in range(2):
            text = f"<answer>\\boxed{{{name} {copy}}}<end_of_answer>"
            (leaf,) = expand(tree, step, [NewNode(text, "answer", name)])
            tree.correct[leaf] = right
            backup(tree, leaf, 1.0 if right else -1.0)
    return tree


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> pathlib.Path:
    """trees/ and a tiny policy in base/."""
    folder = tmp_path_factory.mktemp("baseline")
    write_trees(folder / "trees" / "shard-00000.parquet", [grown(number) for number in range(60)])
    tokenizer = train_tokenizer(["x good bad boxed"], 300)
    model = ModelConfig(tokenizer.vocab_size, d_model=16, n_layers=1, n_heads=2, n_kv_heads=1, head_dim=8, d_ff=16)
    with jax.set_mesh(make_mesh()):
        save_model(folder / "base", model, "lm", init_params(model, jax.random.key(0)), tokenizer)
    return folder


def run(folder: pathlib.Path, kind: str, out: pathlib.Path, *options: str) -> subprocess.CompletedProcess[str]:
    given = ("--kind", kind, "--trees", str(folder / "trees"), "--base", str(folder / "base"), "--out", str(out))
    command = [sys.executable, str(SCRIPT), *given, *options]
    environment = os.environ | {"JAX_PLATFORMS": "cpu"}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=400)


@pytest.mark.parametrize("kind", ["orm", pytest.param("pqm", marks=pytest.mark.slow)])
def test_a_model_is_trained_from_trees(folder, tmp_path, kind: str) -> None:
    found = run(folder, kind, tmp_path, "--held-out", "0.2", *SETTINGS)
    assert found.returncode == 0, found.stderr[-3000:]
    model, what = tmp_path / "model", {"orm": "pairs", "pqm": "solutions"}[kind]
    assert found.stdout.endswith(f"model: {model}\n")
    assert f"{what} to train on" in found.stdout
    assert len(read_jsonl(tmp_path / f"{kind}.jsonl")) == 240
    assert (describe(model).head, describe(model).settings["squash"]) == ("value", "tanh")
    rows = read_jsonl(model / "metrics.jsonl")
    losses = [row["loss"] for row in rows if "loss" in row]
    assert losses[-1] < losses[0]
    assert [row for row in rows if "held_out_accuracy" in row][-1]["held_out_accuracy"] > 0.6  # .5 is chance
    assert read_json(tmp_path / "run.json")["kind"] == kind


@pytest.mark.slow
def test_the_same_command_finds_its_model_and_another_is_refused(folder, tmp_path) -> None:
    assert run(folder, "orm", tmp_path, *SETTINGS).returncode == 0
    made_at = (tmp_path / "model" / "config.json").stat().st_mtime_ns
    assert run(folder, "orm", tmp_path, *SETTINGS).returncode == 0
    assert (tmp_path / "model" / "config.json").stat().st_mtime_ns == made_at
    other = run(folder, "pqm", tmp_path, *SETTINGS)
    assert other.returncode == 2
    assert "its kind differ" in other.stderr


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        ("orm", ("--trees", "NOWHERE"), "no trees there"),
        ("pqm", ("--squash", "raw"), "--squash is a choice of the ORM"),
        ("orm", ("--row-length", "5000"), "rows of 5000 tokens are longer than the 4096"),
    ],
)
def test_a_mistake_is_one_sentence(folder, tmp_path, kind: str, options: tuple[str, ...], message: str) -> None:
    found = run(folder, kind, tmp_path / "run", *options)
    assert found.returncode == 2
    assert found.stderr.startswith("Error: ")
    assert found.stderr.count("\n") == 1
    assert message in found.stderr
    assert not (tmp_path / "run").exists()
