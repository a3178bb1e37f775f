"""Attention of whole packed rows. One function chooses how, by the platform of the devices that the rows are on.

    reference   `jax.numpy`, every platform: the oracle of the tests. Scores are [B, K, G, L, L]
    blocks      CPU (`kernels.cpu`): of the mask, [B, L, L] for all layers, blocks that hide all are skipped
    splash      TPU (`kernels.tpu`). There is no array of L x L numbers at all
    cudnn       GPU, half precision (`kernels.gpu`). There is one mask of [B, L, L] for all layers

On a GPU, what cuDNN has no kernel for (float32; `kernels.gpu.takes`) runs as the reference does. Kernels run under
`shard_map`: a shard has its own rows and heads, and nothing is communicated.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Literal

import jax
import jax.numpy as jnp
from jax.ad_checkpoint import checkpoint_name
from jax.sharding import PartitionSpec as P
from jaxtyping import Array, Bool, Float

from rstar_jax.models.config import ModelConfig
from rstar_jax.models.kernels import cpu, gpu, tpu
from rstar_jax.models.packed_rows import PackedRows, packed_mask, reach
from rstar_jax.models.remat import HEADS
from rstar_jax.models.sharding import RULES, platform

Implementation = Literal["reference", "blocks", "splash", "cudnn"]
SelfAttention = Callable[[jax.Array, jax.Array, jax.Array], jax.Array]
"""(q [B, L, K, G, h], k and v [B, L, K, h]) -> heads [B, L, K, G, h]."""

QUERIES = P(RULES.batch, None, RULES.kv_heads, None, None)
KEYS = P(RULES.batch, None, RULES.kv_heads, None)
ROWS = P(RULES.batch, None)
MASK = P(RULES.batch, None, None)


def self_attention(
    config: ModelConfig, rows: PackedRows, implementation: Implementation | None = None
) -> SelfAttention:
    """What every layer of a model does with its queries, keys and values.

    What does not depend on the layer (masks, and what kernels have in their place) is computed here, once.

    Args:
      implementation: None chooses by the devices of the mesh that `rows` are on.
    """
    if implementation is None:
        implementation = choose(config, platform(jax.typeof(rows.positions).sharding.mesh))
    if implementation == "reference":
        return _named(functools.partial(attention, mask=packed_mask(rows, config.window)))
    if implementation == "blocks":
        return blocks(config, rows)
    if implementation == "cudnn":
        return _cudnn(config, rows)
    return splash(config, rows)


def choose(config: ModelConfig, platform: str) -> Implementation:
    """The fastest form that a platform ("tpu", "gpu", "cpu", …) has for a model."""
    if platform == "tpu":
        return "splash"
    if platform in ("gpu", "cuda") and gpu.takes(config.compute_dtype, config.head_dim):
        return "cudnn"
    return "blocks" if platform == "cpu" else "reference"


def blocks(config: ModelConfig, rows: PackedRows, block: int = cpu.BLOCK) -> SelfAttention:
    """Attention that skips blocks of the mask. block: tokens of a side."""
    specs = cpu.Blocks._make((P(None, None, *MASK), P(None, None, *MASK), P(None, None, RULES.batch)))
    cut = jax.shard_map(functools.partial(cpu.blocks, block=block), in_specs=MASK, out_specs=specs)
    where = cut(jax.sharding.reshard(packed_mask(rows, config.window), MASK))
    attend = functools.partial(cpu.attend, name=HEADS)
    local = jax.shard_map(attend, in_specs=(QUERIES, KEYS, KEYS, specs), out_specs=QUERIES, check_vma=False)
    return lambda q, k, v: local(q, k, v, where)


def splash(config: ModelConfig, rows: PackedRows, **settings: Any) -> SelfAttention:
    """Splash attention over all shards. settings: of `kernels.tpu.attend`, for tests."""
    attend = functools.partial(tpu.attend, window=config.window, name=HEADS, **settings)
    where = jax.sharding.reshard((reach(rows, config.window), rows.branches), ROWS)
    local = jax.shard_map(attend, in_specs=(QUERIES, KEYS, KEYS, ROWS, ROWS), out_specs=QUERIES, check_vma=False)
    return _named(lambda q, k, v: local(q, k, v, *where))


def _cudnn(config: ModelConfig, rows: PackedRows) -> SelfAttention:
    mask = jax.sharding.reshard(packed_mask(rows, config.window), MASK)
    local = jax.shard_map(gpu.attend, in_specs=(QUERIES, KEYS, KEYS, MASK), out_specs=QUERIES, check_vma=False)
    return _named(lambda q, k, v: local(q, k, v, mask))


def _named(attend: SelfAttention) -> SelfAttention:
    return lambda q, k, v: checkpoint_name(attend(q, k, v), HEADS)


def attention(
    q: Float[Array, "B L K G h"],
    k: Float[Array, "B S K h"],
    v: Float[Array, "B S K h"],
    mask: Bool[Array, "B L S"],
) -> Float[Array, "B L K G h"]:
    """Grouped-query attention with float32 softmax. A row that sees nothing attends evenly; nobody reads it.

    Heads are brought side by side first and the sum of weights is divided out last: a CPU has less to do in the
    gradient than in that of the textbook form.
    """
    q, k, v = jnp.moveaxis(q, 1, 3), k.swapaxes(1, 2), v.swapaxes(1, 2)
    scores = jnp.einsum("BKGLh,BKSh->BKGLS", q, k, preferred_element_type=jnp.float32)
    scores = scores * q.shape[-1] ** -0.5 + jnp.where(mask, 0.0, -1e30)[:, None, None]
    weights = jnp.exp(scores - jax.lax.stop_gradient(jnp.max(scores, axis=-1, keepdims=True)))
    total = jnp.sum(weights, axis=-1, keepdims=True)
    out = jnp.einsum("BKGLS,BKSh->BKGLh", weights.astype(v.dtype), v, preferred_element_type=jnp.float32)
    return jnp.moveaxis((out / total).astype(v.dtype), 3, 1)
