"""The ORM and the PQM of a round, from its trees, and search asks them as it asks a PPM; pairs that no PPM learns."""

from __future__ import annotations

import asyncio
import dataclasses
import importlib.util
import math
import pathlib

import jax
import jax.numpy as jnp
import pytest

from rstar_jax.datasets.build import build
from rstar_jax.evolution.baselines import fit_baseline
from rstar_jax.evolution.lab import Lab
from rstar_jax.evolution.run_dir import RunDir
from rstar_jax.evolution.stages import fit_ppm
from rstar_jax.files import read_json, read_jsonl
from rstar_jax.models.decoder import init_params
from rstar_jax.models.sharding import make_mesh
from rstar_jax.models.store import load_model, save_model
from rstar_jax.problems.problem import Problem
from rstar_jax.search.config import SearchConfig
from rstar_jax.search.protocols import Path
from rstar_jax.search.shards import shard_file
from rstar_jax.search.store import write_trees
from rstar_jax.search.tree import ROOT, NewNode, Tree, backup, expand, new_tree
from rstar_jax.training import ppm
from rstar_jax.trajectory.prompts import policy_prompt
from rstar_jax.trajectory.tokenizer import train_tokenizer

_SPEC = importlib.util.spec_from_file_location("tiny", pathlib.Path(__file__).with_name("tiny_config.py"))
tiny = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(tiny)


def grown(number: int) -> Tree:
    """Two steps, each with answers: the first rightly, the second wrongly."""
    tree = new_tree(Problem(f"p{number}", f"What is {number}?", "1"), SearchConfig())
    for name, right in (("good", True), ("bad", False)):
        (step,) = expand(tree, ROOT, [NewNode(f"<code>\n# {name} {number}\n<end_of_step>", "step")])
        for copy in range(2):
            text = f"<answer>\\boxed{{{name} {copy}}}<end_of_answer>"
            (leaf,) = expand(tree, step, [NewNode(text, "answer", name)])
            tree.correct[leaf] = right
            backup(tree, leaf, 1.0 if right else -1.0)
    return tree


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """A run whose first round has searched and has a policy."""
    run, mesh, full = RunDir(tmp_path_factory.mktemp("run")), make_mesh(), tiny.config()
    training = dataclasses.replace(full.ppm_training, epochs=1, batch_size=16)
    config = dataclasses.replace(full, ppm_training=training, ppm_held_out=0.3)
    trees = [grown(number) for number in range(24)]
    write_trees(shard_file(run.trees(1), 0), trees)
    build(([tree] for tree in trees), run.data(1))
    train_tokenizer(["boxed good bad"], 300).save(run.base)
    with jax.set_mesh(mesh):
        lab = Lab(config, run, mesh, None, None)
        save_model(run.policy(1), lab.model_config, "lm", init_params(lab.model_config, jax.random.key(0)))
        yield lab


@pytest.fixture(scope="module")
def ppm_folder(lab) -> pathlib.Path:
    fit_ppm(lab, lab.config.rounds[0])
    return lab.run.ppm(1)


def test_a_ppm_is_judged_on_problems_that_it_did_not_learn(lab, ppm_folder) -> None:
    (line,) = [row for row in read_jsonl(ppm_folder / "metrics.jsonl") if "held_out_accuracy" in row]
    assert 0 <= line["held_out_accuracy"] <= 1
    rows = read_jsonl(lab.run.data(1) / "pairs.jsonl")
    learned = read_json(ppm_folder / "run.json")["steps"]
    assert len(rows) == 24 * 5
    assert learned["n_steps"] < len(rows) // lab.config.ppm_training.batch_size  # fewer than all pairs would give


@pytest.mark.parametrize("kind", ["orm", pytest.param("pqm", marks=pytest.mark.slow)])
def test_a_baseline_is_trained_once_and_asked_by_search(lab, ppm_folder, kind: str) -> None:
    folder = fit_baseline(lab, 1, kind)
    assert folder == lab.run.baseline(1, kind)
    rows = read_jsonl(lab.run.data(1) / f"{kind}.jsonl")
    assert len(rows) == 24 * 4
    written = (folder / "run.json").stat().st_mtime_ns
    assert fit_baseline(lab, 1, kind) == folder
    assert (folder / "run.json").stat().st_mtime_ns == written

    path = Path(grown(3).problem, tuple(grown(3).text[node] for node in (1, 2)))

    async def ask() -> list[float]:
        async with lab.scorer(folder) as scorer:
            return await scorer.score([Path(path.problem, path.steps[:1]), path])

    config, params = load_model(folder)
    tokens = lab.tokenizer.encode(policy_prompt(path.problem.question, path.text))
    first = len(lab.tokenizer.encode(policy_prompt(path.problem.question, path.steps[0])))
    batch = {"tokens": jnp.asarray([tokens]), "positions": jnp.arange(len(tokens))[None]}
    batch["segments"] = jnp.ones_like(batch["tokens"])
    raw = ppm.token_scores(config, params, batch, "none", 0.0)[0]
    scale = 5 if kind == "orm" else 1  # this config trains raw scores; a PQM's are always squashed
    wanted = [math.tanh(float(raw[place]) / scale) for place in (first - 1, len(tokens) - 1)]
    assert asyncio.run(ask()) == pytest.approx(wanted, abs=1e-4)
