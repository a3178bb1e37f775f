"""GPU: attention of short queries over long contexts in pages, written in Pallas for Triton.

A program takes some rows of one item, one kv head and one of S splits of their context, and gives the softmax over
that split. Splits are there to fill the GPU when rows and heads do not (flash-decoding, Dao et al. 2023). Their number
follows from shapes, and what they read from positions: split s takes blocks s, s + S, s + 2S, …, so that all of them
have work whatever the length of the context. A block that a row does not see changes none of its bits, as in `blocks`.
"""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
from jax.experimental import pallas as pl
from jax.experimental.pallas import triton as plgpu
from jaxtyping import Array, Float, Int

_UNSEEN = -1e30
_SIDE = 16  # least side of a matrix that tensor cores take
_QUERIES = 64  # of a program; more would not fit into its registers
_KEY_BYTES = 8 << 10  # of a block: two blocks under way, each keys and values, then take 32 KiB of shared memory
_MOST_TOKENS = 128  # of a block, for small heads: its scores are in registers too
_PROGRAMS = 512  # that fill a large GPU: four for each of the 132 multiprocessors of an H100
# Triton shares its stages out over chains of loads, and keys come after their table: this makes two blocks under way.
_STAGES = 5
# float32 stays float32: by default factors would be rounded to TF32.
_dot = functools.partial(plgpu.dot, precision=jax.lax.Precision.HIGHEST)


def attend(
    q: Float[Array, "R K G h"],
    pool: Float[Array, "P T 2K h"],
    tables: Int[Array, "I W"],
    visible: Int[Array, " R"],
    scale: float,
    window: int | None = None,
) -> Float[Array, "R K G h"]:
    """R/I consecutive rows behind each table; row r sees the first `visible[r]` tokens of it."""
    (rows, heads, group, _), (items, columns) = q.shape, tables.shape
    programs = rows // _rows(rows // items, group) * heads
    blocks = pl.cdiv(columns * pool.shape[1], _block(pool))
    return attend_splits(q, pool, tables, visible, scale, max(1, min(blocks, _PROGRAMS // programs)), window)


def _rows(side: int, group: int) -> int:
    """Rows of a program: as many of an item's as give no more than _QUERIES queries."""
    return max(n for n in range(1, side + 1) if side % n == 0 and (n * group <= _QUERIES or n == 1))


def _block(pool: Array) -> int:
    """Tokens that a program reads at a time."""
    tokens = _KEY_BYTES // (_padded(pool.shape[-1]) * pool.dtype.itemsize)
    return max(_SIDE, min(_MOST_TOKENS, tokens))


def _padded(side: int) -> int:
    """Triton's arrays have powers of two as sides, and what is beyond the true ones is masked."""
    return max(_SIDE, pl.next_power_of_2(side))


def attend_splits(
    q: Float[Array, "R K G h"],
    pool: Float[Array, "P T 2K h"],
    tables: Int[Array, "I W"],
    visible: Int[Array, " R"],
    scale: float,
    splits: int,
    window: int | None = None,
    interpret: bool = False,
) -> Float[Array, "R K G h"]:
    """The same in a given number of splits. interpret: run it without a GPU, slowly; for tests."""
    (rows, heads, group, width), (items, columns) = q.shape, tables.shape
    count = _rows(rows // items, group)
    parts = rows // items // count
    # Several splits are still to be added up, so they are not rounded yet.
    out_type = jax.ShapeDtypeStruct((splits, *q.shape), q.dtype if splits == 1 else jnp.float32)
    out, weight = pl.pallas_call(
        functools.partial(_attend, scale=scale, block=_block(pool), splits=splits, window=window),
        grid=(heads, rows // count, splits),
        in_specs=[
            pl.BlockSpec((count, None, group, width), lambda k, i, s: (i, k, 0, 0)),
            pl.BlockSpec(pool.shape, lambda k, i, s: (0, 0, 0, 0)),
            pl.BlockSpec((None, columns), lambda k, i, s: (i // parts, 0)),
            pl.BlockSpec((count,), lambda k, i, s: (i,)),
        ],
        out_specs=[
            pl.BlockSpec((None, count, None, group, width), lambda k, i, s: (s, i, k, 0, 0)),
            pl.BlockSpec((None, count, None, group), lambda k, i, s: (s, i, k, 0)),
        ],
        out_shape=[out_type, jax.ShapeDtypeStruct((splits, rows, heads, group), jnp.float32)],
        compiler_params=plgpu.CompilerParams(num_warps=4 if count * group <= _SIDE else 8, num_stages=_STAGES),
        interpret=interpret,
        name="paged_attention",
    )(q, pool, tables, visible)
    return out[0] if splits == 1 else _combined(out, weight).astype(q.dtype)


def _combined(out: Float[Array, "S R K G h"], weight: Float[Array, "S R K G"]) -> Float[Array, "R K G h"]:
    """The softmax over all splits. weight: the logarithm of a split's; what a row does not see has weight zero."""
    return jnp.sum(out * jax.nn.softmax(weight, axis=0)[..., None], axis=0)


def _attend(
    q_ref,
    pool_ref,
    table_ref,
    visible_ref,
    out_ref,
    weight_ref,
    *,
    scale: float,
    block: int,
    splits: int,
    window: int | None,
):
    """One program; its queries are the group's of all its rows.

    q [rows, G, h], pool [P, T, 2K, h], table [W], visible [rows] -> out [rows, G, h], weight [rows, G].
    """
    (count, group, width), size = q_ref.shape, pool_ref.shape[1]
    head, split = pl.program_id(0), pl.program_id(2)
    query = jnp.arange(_padded(count * group))
    lane = jnp.arange(_padded(width))[None]
    real, inside = query < count * group, lane < width
    row, member = jax.lax.div(query, group), jax.lax.rem(query, group)
    place, there = (row[:, None], member[:, None], lane), real[:, None] & inside
    q = plgpu.load(q_ref.at[place], mask=there, other=0.0).astype(pool_ref.dtype)
    visible = plgpu.load(visible_ref.at[row], mask=real, other=0)
    longest = jnp.max(visible)

    def read(token):
        """Keys and values [block, h]; zeros for what is not there yet, as it could be anything, even no number."""
        known = token < longest
        page = plgpu.load(table_ref.at[jax.lax.div(token, size)], mask=known, other=0)[:, None]
        slot, mask = jax.lax.rem(token, size)[:, None], known[:, None] & inside
        places = [(page, slot, 2 * head + which, lane) for which in (0, 1)]
        return [plgpu.load(pool_ref.at[place], mask=mask, other=0.0) for place in places]

    def add(number, running):
        top, total, out = running
        token = (split + number * splits) * block + jnp.arange(block)
        k, v = read(token)
        seen = token[None] < visible[:, None]
        if window is not None:
            seen &= token[None] >= visible[:, None] - window
        scores = jnp.where(seen, _dot(q, k, trans_b=True) * scale, _UNSEEN)
        higher = jnp.maximum(top, jnp.max(scores, axis=1))
        weights, kept = jnp.exp(scores - higher[:, None]), jnp.exp(top - higher)
        return higher, total * kept + jnp.sum(weights, axis=1), out * kept[:, None] + _dot(weights.astype(v.dtype), v)

    empty = jnp.full(query.shape, _UNSEEN), jnp.zeros(query.shape), jnp.zeros((query.size, lane.size))
    mine = pl.cdiv(pl.cdiv(longest, block) - split, splits)  # blocks
    top, total, out = jax.lax.fori_loop(0, mine, add, empty)
    total = jnp.maximum(total, 1e-30)
    plgpu.store(out_ref.at[place], (out / total[:, None]).astype(out_ref.dtype), mask=there)
    plgpu.store(weight_ref.at[row, member], top + jnp.log(total), mask=real)
