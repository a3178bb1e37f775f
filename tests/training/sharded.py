"""Run in a process of its own with eight CPU devices: a (2, 2, 2) mesh trains what one device trains.

Prints "equal" at the end; anything else is a failure. `test_sharded.py` starts it.
"""

from __future__ import annotations

import dataclasses
import functools
import pathlib
import sys

import jax
import numpy as np

from rstar_jax.datasets.packing import Packed, TokenisedSolution, pack_sft
from rstar_jax.datasets.pair_packing import Group, pack_pairs
from rstar_jax.models.config import Head, ModelConfig
from rstar_jax.models.decoder import Params, init_params
from rstar_jax.models.sharding import make_mesh
from rstar_jax.models.store import load_model
from rstar_jax.training.loop import Task, train
from rstar_jax.training.optimizer import TrainConfig
from rstar_jax.training.ppm import ppm_loss
from rstar_jax.training.sft import sft_loss

MODEL = ModelConfig(vocab_size=32, d_model=16, n_layers=2, n_heads=4, n_kv_heads=2, head_dim=4, d_ff=16)
CONFIG = TrainConfig(epochs=1, batch_size=16, row_length=32, microbatches=2, learning_rate=1e-3, loss_chunk=8)


def random_params(head: Head) -> Params:
    random = np.random.default_rng(0)
    shapes = jax.eval_shape(lambda: init_params(MODEL, jax.random.key(0), head))
    return jax.tree.map(lambda leaf: random.normal(0, 0.3, leaf.shape).astype(leaf.dtype), shapes)


def sft_data() -> Packed:
    random = np.random.default_rng(0)
    lengths = random.integers(8, 20, 32)
    return pack_sft([TokenisedSolution(random.integers(1, 32, n).tolist(), [True] * n) for n in lengths], 32)


def pair_data() -> Packed:
    random = np.random.default_rng(0)
    texts = [random.integers(1, 32, (2, 8)).tolist() for _ in range(32)]
    return pack_pairs([Group(pair, [(0, 1, 1.0)]) for pair in texts], 32)


def compare(
    name: str, task: Task, data: Packed, workdir: pathlib.Path, run: TrainConfig = CONFIG, tolerance: float = 1e-5
) -> None:
    meshes = {"one": make_mesh(), "eight": make_mesh(2, 2, 2)}
    results = {
        key: train(run, MODEL, random_params(task.head), data, task, workdir / name / key, mesh)
        for key, mesh in meshes.items()
    }
    embed = results["eight"]["outer"]["embed"]
    assert len({shard.device for shard in embed.addressable_shards}) == 8, name
    assert embed.addressable_shards[0].data.size == embed.size // 4, name  # V over tensor, D over fsdp
    close = functools.partial(np.testing.assert_allclose, rtol=tolerance, atol=tolerance)
    jax.tree.map(lambda a, b: close(np.asarray(a), np.asarray(b)), results["one"], results["eight"])
    config, loaded = load_model(workdir / name / "eight", meshes["one"])  # from eight devices onto one
    assert config == MODEL
    jax.tree.map(lambda a, b: np.testing.assert_array_equal(a, np.asarray(b)), loaded, results["eight"])


if __name__ == "__main__":
    assert len(jax.devices()) == 8
    folder = pathlib.Path(sys.argv[1])
    compare("sft", Task("lm", functools.partial(sft_loss, MODEL, chunk=8)), sft_data(), folder)
    compare("ppm", Task("value", functools.partial(ppm_loss, MODEL)), pair_data(), folder)
    dropping = Task("value", functools.partial(ppm_loss, MODEL, dropout=0.1), drops=True)
    compare("dropout", dropping, pair_data(), folder)
    muon = dataclasses.replace(CONFIG, optimizer="muon")
    # Orthogonalisation amplifies the rounding of sums that are taken in another order.
    compare("muon", Task("lm", functools.partial(sft_loss, MODEL, chunk=8)), sft_data(), folder, muon, 1e-4)
    print("equal")
