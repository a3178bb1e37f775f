"""TPU: the ragged paged attention kernel that comes with JAX, and one that writes the pages it reads.

Left to itself the attention kernel looks up block sizes for the chip under `jax.devices()`, which fails where a program
is compiled for another machine's chips. Here they are computed from shapes, so nothing asks for a device. It takes
pools of 1, 2, 4 or a multiple of 8 kv heads a chip.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax.experimental import pallas as pl
from jax.experimental.pallas import tpu as pltpu
from jax.experimental.pallas.ops.tpu.ragged_paged_attention import ragged_paged_attention
from jaxtyping import Array, Float, Int

LANES = 128  # the kernel's head dimension is a multiple of it
_KEYS_PER_BLOCK = 512
_QUERIES_PER_BLOCK = 32


def attend(
    q: Float[Array, "R K G h"],
    pool: Float[Array, "P T 2K h"],
    tables: Int[Array, "I W"],
    visible: Int[Array, " R"],
    scale: float,
    window: int | None = None,
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
        sliding_window=window,
        num_kv_pages_per_block=max(1, min(columns, _KEYS_PER_BLOCK // size)),
        # The kernel multiplies all queries of a block with the keys of every sequence that has one among them: with
        # more than an item to a block most of the products would be thrown away.
        num_queries_per_block=min(side, _QUERIES_PER_BLOCK),
    )
    return out.reshape(q.shape)


def put(
    pool: Float[Array, "P T 2K h"], page: Int[Array, " R"], offset: Int[Array, " R"], new: Float[Array, "R 2K h"]
) -> Float[Array, "P T 2K h"]:
    """Each row's keys and values at `offset` of its page; a page beyond the pool is dropped.

    XLA's scatter does the same, but counts as using all of the pool: one that fits the chip's VMEM may be brought there
    and back each time. Here only rows move, all at once, and the pool is told to stay where it is.
    """
    return pl.pallas_call(
        _put,
        out_shape=pltpu.HBM(pool.shape, pool.dtype),
        grid_spec=pltpu.PrefetchScalarGridSpec(
            num_scalar_prefetch=2,
            in_specs=[pl.BlockSpec(memory_space=pl.ANY), pl.BlockSpec(memory_space=pltpu.HBM)],
            out_specs=pl.BlockSpec(memory_space=pltpu.HBM),
            scratch_shapes=[pltpu.SemaphoreType.DMA],
        ),
        input_output_aliases={3: 0},
        name="put_rows_into_pages",
    )(page, offset, new, pool)


def _put(page, offset, new, _, pool, done) -> None:
    """References to page [R], offset [R] (both SMEM), new [R, 2K, h] and the pool as input and as output: one memory.

    done: counts the bytes that have arrived.
    """

    def each_row(act) -> None:
        def maybe(row, _) -> None:
            @pl.when(page[row] < pool.shape[0])
            def _() -> None:
                act(pltpu.make_async_copy(new.at[row], pool.at[page[row], offset[row]], done))

        jax.lax.fori_loop(0, page.shape[0], maybe, None)

    each_row(lambda copy: copy.start())
    each_row(lambda copy: copy.wait())
