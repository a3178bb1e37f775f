"""Run in a process of its own with eight CPU devices: shards have their own rows and heads. Prints "equal" if so."""

from __future__ import annotations

import dataclasses

import jax
import numpy as np
from jax.sharding import NamedSharding
from jax.sharding import PartitionSpec as P

from rstar_jax.models.attention import SelfAttention, self_attention, splash
from rstar_jax.models.config import ModelConfig
from rstar_jax.models.packed_rows import PackedRows
from rstar_jax.models.sharding import RULES, make_mesh

MODEL = ModelConfig(vocab_size=48, d_model=32, n_layers=1, n_heads=4, n_kv_heads=2, head_dim=64, d_ff=32)


def tree_rows() -> PackedRows:
    segments = np.array([[1] * 60 + [2] * 40 + [0] * 20, [1] * 120, [1] * 7 + [0] * 113, [0] * 120], np.int32)
    branches = np.array([[0] * 20 + [1] * 20 + [2] * 20 + [0] * 10 + [1] * 30 + [0] * 20] + [[0] * 120] * 3, np.int32)
    positions = np.array([[*range(40), *range(20, 40), *range(40), *[0] * 20]] + [[*range(120)]] * 3, np.int32)
    return PackedRows(positions, segments, branches)


def heads_and_gradient(mesh, attend_over) -> list[np.ndarray]:
    random, rows = np.random.default_rng(0), tree_rows()
    shapes = (4, 120, 2, 2, 64), (4, 120, 2, 64), (4, 120, 2, 64)
    arrays = [random.normal(size=shape).astype(np.float32) for shape in shapes]

    def put(x: np.ndarray) -> jax.Array:
        heads = (RULES.kv_heads, *(None,) * (x.ndim - 3)) if x.ndim > 2 else ()
        return jax.device_put(x, NamedSharding(mesh, P(RULES.batch, None, *heads)))

    def total(arrays: list[jax.Array], rows: PackedRows):
        attend: SelfAttention = attend_over(rows)
        heads = jax.numpy.where(rows.segments[..., None, None, None] > 0, attend(*arrays), 0)
        return jax.numpy.sum(jax.numpy.sin(heads)), heads

    with jax.set_mesh(mesh):
        placed = jax.tree.map(put, (arrays, rows))
        (_, heads), gradient = jax.jit(jax.value_and_grad(total, has_aux=True))(*placed)
    return [np.asarray(x) for x in (heads, *gradient)]


if __name__ == "__main__":
    assert len(jax.devices()) == 8
    for config in (MODEL, dataclasses.replace(MODEL, window=30)):
        sharded = heads_and_gradient(make_mesh(2, 2, 2), lambda rows, c=config: splash(c, rows, interpret=True))
        plain = heads_and_gradient(make_mesh(), lambda rows, c=config: self_attention(c, rows, "reference"))
        for found, wanted in zip(sharded, plain, strict=True):
            np.testing.assert_allclose(found, wanted, rtol=2e-5, atol=2e-5)
    print("equal")
