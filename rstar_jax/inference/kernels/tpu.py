"""TPU: the ragged paged attention kernel that comes with JAX.

Left to itself the kernel looks up block sizes for the chip under `jax.devices()`, which fails where a program is
compiled for another machine's chips. Here they are computed from shapes, so nothing asks for a device.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax.experimental.pallas.ops.tpu.ragged_paged_attention import ragged_paged_attention
from jaxtyping import Array, Float, Int

LANES = 128  # the kernel's head dimension is a multiple of it
_KEYS_PER_BLOCK = 512
_QUERIES_PER_BLOCK = 32
_VMEM_BYTES = 64 << 20


def attend(
    q: Float[Array, "R K G h"],
    pool: Float[Array, "P T 2K h"],
    tables: Int[Array, "I W"],
    visible: Int[Array, " R"],
    scale: float,
) -> Float[Array, "R K G h"]:
    """Rows of an item are one sequence to the kernel: its last S tokens, of which those that are padding come last.

    Padding sees keys that are not there yet, and nobody reads what it gets.
    """
    (rows, heads, group, width), (items, columns) = q.shape, tables.shape
    side, size = rows // items, pool.shape[1]
    # The first row of an item is never padding unless all are; from it the others follow.
    lengths = jnp.maximum(visible.reshape(items, side)[:, 0], 1) + side - 1
    out = ragged_paged_attention(
        q.reshape(rows, heads * group, width),
        pool,
        lengths.astype(jnp.int32),
        tables,
        jnp.arange(items + 1, dtype=jnp.int32) * side,
        jnp.full((1,), items, jnp.int32),
        sm_scale=scale,
        num_kv_pages_per_block=max(1, min(columns, _KEYS_PER_BLOCK // size)),
        num_queries_per_block=min(rows, _QUERIES_PER_BLOCK),
        vmem_limit_bytes=_VMEM_BYTES,
    )
    return jax.lax.reshape(out, q.shape)
