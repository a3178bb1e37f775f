"""The benchmark of training: its layouts give the same losses, its counts are right, and its command runs."""

from __future__ import annotations

import dataclasses
import functools
import importlib
import json
import pathlib
import subprocess
import sys
from typing import Any

import jax
import numpy as np
import pytest

from rstar_jax.models.config import ModelConfig
from rstar_jax.models.decoder import init_params
from rstar_jax.models.sharding import make_mesh
from rstar_jax.training.optimizer import TrainConfig
from rstar_jax.training.ppm import ppm_loss
from rstar_jax.training.sft import sft_loss

BENCHMARKS = pathlib.Path(__file__).parents[2] / "experiments" / "benchmarks"
MODEL = ModelConfig(vocab_size=64, d_model=16, n_layers=2, n_heads=4, n_kv_heads=2, head_dim=8, d_ff=32, init_scale=0.5)
CONFIG = TrainConfig(learning_rate=1e-2, schedule="constant", remat="none")


@pytest.fixture(scope="module")
def benchmark() -> Any:
    """Its files by name: they lie side by side, and import each other so."""
    sys.path.insert(0, str(BENCHMARKS))
    try:
        yield lambda name: importlib.import_module(f"training_{name}")
    finally:
        sys.path.remove(str(BENCHMARKS))


def params(head: str) -> Any:
    random = np.random.default_rng(0)
    shapes = jax.eval_shape(lambda: init_params(MODEL, jax.random.key(0), head))
    return jax.tree.map(lambda leaf: random.normal(0, 0.3, leaf.shape).astype(leaf.dtype), shapes)


def steps(benchmark: Any, head: str, loss: Any) -> Any:
    loss = functools.partial(loss, MODEL, remat="none")
    return benchmark("ours").Steps(MODEL, head, loss, params(head), CONFIG, make_mesh())


def test_pairs_have_one_loss_in_every_layout_and_every_part_of_a_step(benchmark) -> None:
    ppm, data = benchmark("ppm"), benchmark("data")
    sizes = [data.SetSize(9, (3, 5), (4, 7)), data.SetSize(5, (2,), (3, 3, 1, 6))]
    groups = data.make_groups(sizes, 3, 64, np.random.default_rng(0))
    losses = []
    for name, at_once, length in (("ours", 1, 32), ("longest", 4, 16)):
        layout = ppm.Layout(name, at_once, length)
        run = steps(benchmark, "value", ppm_loss if layout.is_ours else ppm.pairwise_loss)
        run.begin()
        rows = layout.rows(groups)
        losses.append(run.train([rows, rows], layout.microbatches(rows)).losses)
    np.testing.assert_allclose(losses, np.broadcast_to(losses[0], (2, 2)), atol=1e-5)
    assert losses[0][1] < losses[0][0]


@pytest.mark.slow
def test_solutions_have_one_loss_in_every_layout(benchmark) -> None:
    ours, data = benchmark("ours"), benchmark("data")
    sizes = [data.SolutionSize(3, 8, 2), data.SolutionSize(5, 12, 1)]
    batches = [data.make_solutions(sizes, 7, 64, np.random.default_rng(seed)) for seed in range(2)]
    ways = [ours.Way("packed", 3, 48), ours.Way("padded", 2, 20)]
    contender, losses = ours.Ours(steps(benchmark, "lm", sft_loss), ways, batches), []
    for way in ways:
        contender.begin(way)
        losses.append(contender.train(batches).losses)
    np.testing.assert_allclose(losses, np.broadcast_to(losses[0], (2, 2)), atol=1e-5)
    with pytest.raises(AssertionError, match="longer"):
        ours.sft_rows(batches[0], ours.Way("packed", 1, 8))


def test_sets_are_measured_as_they_are_written(benchmark) -> None:
    data = benchmark("data")
    sizes = [data.SetSize(4, (3, 5), (2, 7)), data.SetSize(6, (2,), (3, 3, 4, 1))]
    groups = data.make_groups(sizes, 2, 64, np.random.default_rng(0))
    assert [data._set_size(group, len(s.better), len(s.worse)) for group, s in zip(groups, sizes, strict=True)] == sizes
    one = groups[1].part(groups[1].pairs[:1])  # as the samples show it: one pair of four
    assert data._set_size(one, 1, 4) == data.SetSize(6, (2,), (3, 3, 3, 3))
    solution = data.make_solutions([data.SolutionSize(3, 5, 2)], 1, 64, np.random.default_rng(0))[0]
    assert data._solution_size(solution.targets) == data.SolutionSize(3, 5, 2)


@pytest.mark.parametrize(("fit", "tries"), [(0, [1]), (5, [1, 2, 4, 8, 6, 5]), (11, [1, 2, 4, 8, 11])])
def test_the_largest_batch_is_found(benchmark, monkeypatch, fit: int, tries: list[int]) -> None:
    accelerator, seen = benchmark("accelerator"), []

    def run(step: Any) -> dict[str, float] | None:
        seen.append(step.rows)
        figures = {"step_s": 1.0, "tokens_per_s": 1.0, "mfu": 0.1 * step.rows, "peak_bytes": 0, "first_step_s": 1.0}
        return figures if step.rows <= fit else None

    monkeypatch.setattr(accelerator, "in_a_process", run)
    found = accelerator.compare(accelerator.Step(), 11)
    assert seen == tries
    assert found["largest_rows"] == found["best_rows"] == fit


def test_a_step_that_fails_is_no_step_that_does_not_fit(benchmark) -> None:
    accelerator = benchmark("accelerator")
    with pytest.raises(RuntimeError, match="failed"):
        accelerator.in_a_process(dataclasses.replace(accelerator.Step(), model="none"))


@pytest.mark.slow
def test_the_command_writes_its_figures(tmp_path) -> None:
    command = [sys.executable, str(BENCHMARKS / "training.py"), "--quick", "--json", str(tmp_path / "figures.json")]
    command += ["--parts", "sft", "ppm", "accelerator"]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert ran.returncode == 0, ran.stderr[-3000:]
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert figures["ppm_loss_apart"] <= 1e-5
    assert figures["ppm_ours_tokens_per_pair"] < figures["ppm_longest_tokens_per_pair"]
    assert {"sft_ours_tokens_per_s", "ppm_ours_by_released", "accelerator_largest_rows"} <= set(figures)
    assert 0 < figures["accelerator_mfu"] < 1
