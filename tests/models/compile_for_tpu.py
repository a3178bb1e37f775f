"""Run by `test_tpu_compile.py` in a process of its own: attention and its gradient compiled for a chip, as JSON.

One line of output: for each case, the arrays with two sides as long as a row, and the names of the kernels.
"""

from __future__ import annotations

import json
import re
import sys

import jax
import jax.numpy as jnp
from jax.sharding import NamedSharding

from rstar_jax.ahead_of_time.chips import parse_slice
from rstar_jax.ahead_of_time.topology import topology
from rstar_jax.models.attention import KEYS, QUERIES, ROWS, self_attention
from rstar_jax.models.config import ModelConfig
from rstar_jax.models.packed_rows import PackedRows
from rstar_jax.models.sharding import make_mesh

HEADS = {64: (14, 2, None), 96: (32, 32, 2047), 128: (12, 2, None)}  # of published models


def compiled(mesh: jax.sharding.Mesh, head_dim: int, trees: bool, length: int) -> dict:
    heads, kv_heads, window = HEADS[head_dim]
    config = ModelConfig(64, 64, 1, heads, kv_heads, head_dim, 64, window=window)

    def total(arrays: tuple[jax.Array, jax.Array, jax.Array], rows: PackedRows) -> jax.Array:
        return jnp.sum(self_attention(config, rows)(*arrays).astype(jnp.float32))

    def like(spec: jax.sharding.PartitionSpec, dtype: str, *sides: int) -> jax.ShapeDtypeStruct:
        return jax.ShapeDtypeStruct((4, length, *sides), dtype, sharding=NamedSharding(mesh, spec))

    groups = like(QUERIES, "bfloat16", kv_heads, heads // kv_heads, head_dim)
    keys, ints = like(KEYS, "bfloat16", kv_heads, head_dim), like(ROWS, "int32")
    with jax.set_mesh(mesh):
        rows = PackedRows(*[ints] * (3 if trees else 2))
        text = jax.jit(jax.grad(total)).lower((groups, keys, keys), rows).compile().as_text()
    shapes = {tuple(map(int, shape.split(","))) for shape in re.findall(r"\b[a-z]+\d*\[([\d,]+)\]", text)}
    return {
        "squares": [shape for shape in shapes if sum(side >= length for side in shape) > 1],
        "kernels": sorted(set(re.findall(r"%(splash_mha_[a-z]+)_", text))),
    }


if __name__ == "__main__":
    mesh = make_mesh(fsdp=2, tensor=2, devices=topology(parse_slice(sys.argv[1])))
    lengths = {64: 4096, 96: 4096, 128: 2000}
    print(json.dumps([compiled(mesh, h, trees, length) for h, length in lengths.items() for trees in (False, True)]))
