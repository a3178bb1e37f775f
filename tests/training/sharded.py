"""Run in a process of its own with eight CPU devices: meshes of several train what one device trains.

    python sharded.py WORKDIR MESH…
    python sharded.py WORKDIR more    (dropout and Muon)

Prints "equal" at the end; anything else is a failure. `test_sharded.py` starts it.
"""

from __future__ import annotations

import dataclasses
import functools
import pathlib
import sys
from collections.abc import Iterable

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh

from rstar_jax.datasets.packing import Packed, TokenisedSolution, pack_sft
from rstar_jax.datasets.pair_packing import Group, pack_pairs
from rstar_jax.models.config import Head, ModelConfig
from rstar_jax.models.decoder import Params, init_params, logical_axes
from rstar_jax.models.sharding import make_mesh
from rstar_jax.models.store import load_model
from rstar_jax.training.batches import to_devices
from rstar_jax.training.loop import Task, train
from rstar_jax.training.optimizer import TrainConfig, make_optimizer
from rstar_jax.training.ppm import ppm_loss
from rstar_jax.training.sft import sft_loss
from rstar_jax.training.state import abstract_state, first_state
from rstar_jax.training.step import compile_step

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


MESHES = {"data": (4, 1, 1), "fsdp": (1, 4, 1), "tensor": (1, 1, 2), "mixed": (2, 2, 2)}


def compare(
    name: str,
    task: Task,
    data: Packed,
    workdir: pathlib.Path,
    meshes: Iterable[str] = ("mixed",),
    run: TrainConfig = CONFIG,
    tolerance: float = 1e-5,
) -> None:
    def trained(key: str, mesh: Mesh) -> Params:
        return train(run, MODEL, random_params(task.head), data, task, workdir / name / key, mesh)

    one = trained("one", make_mesh())
    close = functools.partial(np.testing.assert_allclose, rtol=tolerance, atol=tolerance)
    for key in meshes:
        mesh = make_mesh(*MESHES[key])
        several = trained(key, mesh)
        embed = several["outer"]["embed"]
        assert len({shard.device for shard in embed.addressable_shards}) == mesh.size, name
        parts = mesh.shape["tensor"] * mesh.shape["fsdp"]  # V over tensor, D over fsdp
        assert embed.addressable_shards[0].data.size == embed.size // parts, name
        jax.tree.map(lambda a, b: close(np.asarray(a), np.asarray(b)), one, several)
        config, loaded = load_model(workdir / name / key, make_mesh())  # from several devices onto one
        assert config == MODEL
        jax.tree.map(lambda a, b: np.testing.assert_array_equal(a, np.asarray(b)), loaded, several)


def moments_lie_like_their_parameters(task: Task, data: Packed, run: TrainConfig, n_moments: int) -> None:
    """After a real step; all else of the optimizer's state is a scalar on every device."""
    mesh = make_mesh(2, 2, 2)
    with jax.set_mesh(mesh):
        optimizer = make_optimizer(run, logical_axes(MODEL, task.head))
        abstract = abstract_state(MODEL, task.head, optimizer, mesh)
        state = first_state(MODEL, task.head, optimizer, abstract, random_params(task.head), 0)
        batch = to_devices(data.rows(np.arange(8)), 1, mesh)
        state, _ = compile_step(task.loss, optimizer, abstract)(state, batch, jnp.float32(1e-3))
    places = {jax.tree_util.keystr(path): leaf.sharding for path, leaf in jax.tree.leaves_with_path(state.params)}
    assert len({place.spec for place in places.values()}) > 3
    matched = 0
    for path, leaf in jax.tree.leaves_with_path(state.opt_state):
        name = next((name for name in places if jax.tree_util.keystr(path).endswith(name)), None)
        if name is None:
            assert leaf.ndim == 0, path
            assert leaf.sharding.is_fully_replicated, path
        else:
            assert leaf.sharding.is_equivalent_to(places[name], leaf.ndim), path
            matched += 1
    assert matched == n_moments * len(places)
    assert state.step.sharding.is_fully_replicated
    assert len(state.step.sharding.device_set) == 8


if __name__ == "__main__":
    assert len(jax.devices()) == 8
    folder, meshes = pathlib.Path(sys.argv[1]), sys.argv[2:]
    policy = Task("lm", functools.partial(sft_loss, MODEL, chunk=8))
    ppm = Task("value", functools.partial(ppm_loss, MODEL))
    if meshes != ["more"]:
        compare("sft", policy, sft_data(), folder, meshes)
        compare("ppm", ppm, pair_data(), folder, meshes)
    else:
        dropping = Task("value", functools.partial(ppm_loss, MODEL, dropout=0.1), drops=True)
        compare("dropout", dropping, pair_data(), folder)
        muon = dataclasses.replace(CONFIG, optimizer="muon")
        # Orthogonalisation amplifies the rounding of sums that are taken in another order.
        compare("muon", policy, sft_data(), folder, run=muon, tolerance=1e-4)
    if "mixed" in meshes:
        moments_lie_like_their_parameters(policy, sft_data(), CONFIG, 2)
    print("equal")
