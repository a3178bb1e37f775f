"""TPU: splash attention, the flash attention kernel that comes with JAX, told at run time what each token sees.

The kernel skips blocks by a mask that is known at compile time: causal by place in the row, and within the window.
Inside of the other blocks it asks a function of the query's number and the key's place. Here that number says where the
query stands and how far back it sees (`packed_rows.reach`), which is all there is to segments and windows.

Branches are no such interval. Queries and keys get a few more dimensions, whose product is nothing where a key may be
seen and hugely negative where it is of another branch. They hold the bits of the branch's number and their complements,
so that each single product is zero for equal numbers: nothing large has to cancel, whatever the order of the sum, and
all entries are powers of two, exact in bfloat16. (The kernel's dynamic masks are [L, L] for each row and pass.) The
price is in the products of queries and keys: heads of 64 and 96 are padded to 128 lanes anyway, heads of 128 become 256
lanes wide.
"""

from __future__ import annotations

import functools
from typing import Any

import jax
import jax.numpy as jnp
from jax.experimental.pallas.ops.tpu.splash_attention import BlockSizes, CausalMask, LocalMask, MultiHeadMask
from jax.experimental.pallas.ops.tpu.splash_attention.splash_attention_kernel import (
    SplashAttentionKernel,
    make_splash_mha,
)
from jaxtyping import Array, Bool, Float, Int

_LANES = 128  # a block is a multiple of it
_BLOCK = 512  # tokens, of queries and of keys
_PLACE_BITS = 16  # a token's number is its place and its reach
_WALL = 2.0**15  # squared, what a key of another branch loses at least: nothing is left of it behind a softmax


def attend(
    q: Float[Array, "B L K G h"],
    k: Float[Array, "B L K h"],
    v: Float[Array, "B L K h"],
    reach: Int[Array, "B L"],
    branches: Int[Array, "B L"] | None,
    window: int | None,
    name: str,
    block: int = _BLOCK,
    interpret: bool = False,
) -> Float[Array, "B L K G h"]:
    """Attention within rows, whose length needs to be no multiple of anything.

    Args:
      name: under which a remat policy finds the output and the logarithms of the softmax's sums.
      block: the most tokens that are looked at together.
      interpret: run it without a TPU, slowly; for tests.

    Raises:
      ValueError: rows are longer than 65,536 tokens.
    """
    rows, length, heads, group, width = q.shape
    block = min(block, _up(length, _LANES))
    padded = _up(length, block)
    if padded > 1 << _PLACE_BITS:
        raise ValueError(f"rows of {length} tokens are too long for this kernel, which counts to {1 << _PLACE_BITS}")
    place = jnp.arange(padded, dtype=jnp.int32)
    numbers = (place << _PLACE_BITS) | _padded(reach, padded)
    q = (q * width**-0.5).reshape(rows, length, heads * group, width)
    if branches is not None:
        walls = _walls(branches, q.dtype)
        q, k = (jnp.concatenate([x, _to_heads(wall, x)], axis=-1) for x, wall in zip((q, k), walls, strict=True))
    q, k, v = (_padded(x, padded).swapaxes(1, 2) for x in (q, k, v))
    # Places of a branch do not follow on from those of its trunk, so with branches no block is known to be unseen.
    kernel = _kernel(heads * group, padded, window if branches is None else None, block, name, interpret)
    out = jax.vmap(functools.partial(_row, kernel))(numbers, q, k, v)
    return out.swapaxes(1, 2)[:, :length].reshape(rows, length, heads, group, width)


def _kernel(
    heads: int, length: int, window: int | None, block: int, name: str, interpret: bool
) -> SplashAttentionKernel:
    """It knows nothing of rows yet. Backward it is two kernels: a single one would keep a dq for each block of keys."""
    shape = (length, length)
    mask = CausalMask(shape) if window is None else LocalMask(shape, (window - 1, 0), 0)
    return make_splash_mha(
        MultiHeadMask([mask] * heads),
        block_sizes=BlockSizes(
            block_q=block,
            block_kv=block,
            block_q_dkv=block,
            block_kv_dkv=block,
            block_q_dq=block,
            block_kv_dq=block,
        ),
        head_shards=1,
        q_seq_shards=1,
        residual_checkpoint_name=name,
        interpret=interpret,
    )


def _row(kernel: SplashAttentionKernel, numbers: Int[Array, " L"], q: Array, k: Array, v: Array) -> Array:
    """q [H, L, h], k and v [K, L, h] -> [H, L, h]."""
    infos: Any = (kernel.fwd_mask_info, kernel.dq_mask_info, kernel.dkv_mask_info)
    told = [info._replace(q_sequence=numbers) for info in infos]
    out: Any = SplashAttentionKernel(*told, **{**kernel.kwargs, "mask_function": _sees})(q, k, v)
    return out


def _sees(number: Int[Array, "*q"], key: Int[Array, "*q"]) -> Bool[Array, "*q"]:
    back = jax.lax.shift_right_logical(number, jnp.full_like(number, _PLACE_BITS)) - key
    return (back >= 0) & (back <= (number & ((1 << _PLACE_BITS) - 1)))


def _walls(branches: Int[Array, "B L"], dtype: jax.typing.DTypeLike) -> tuple[Array, Array]:
    """More dimensions of queries and of keys, [B, L, d], where 0 is the trunk, which all see and which sees none."""
    bits = (branches[..., None] >> jnp.arange(branches.shape[1].bit_length())) & 1
    queries = jnp.concatenate([bits, 1 - bits], axis=-1).astype(dtype)
    keys = jnp.where(branches[..., None] > 0, jnp.concatenate([1 - bits, bits], axis=-1), 0).astype(dtype)
    return queries * _WALL, keys * -_WALL


def _to_heads(x: Float[Array, "B L d"], like: Float[Array, "B L H h"]) -> Float[Array, "B L H d"]:
    return jnp.broadcast_to(x[:, :, None], (*like.shape[:3], x.shape[-1]))


def _padded(x: Array, length: int) -> Array:
    """Axis 1 up to `length`, with zeros: tokens that see themselves."""
    return jnp.pad(x, [(0, length - x.shape[1]) if axis == 1 else (0, 0) for axis in range(x.ndim)])


def _up(n: int, multiple: int) -> int:
    return -(-n // multiple) * multiple
