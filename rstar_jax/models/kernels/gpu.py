"""GPU: cuDNN's fused attention.

It knows causality and takes any other mask as a bias of one number a pair of tokens, [B, 1, L, L] for all heads and all
layers of a step, while scores exist for a few tokens at a time only. (jax 0.10 also has the gradient of that bias
computed, which nobody reads; later versions leave it out, jax-ml/jax#39512.)
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

_LARGEST_HEAD = 128  # of all generations from Ampere on, backward pass included


def takes(dtype: jax.typing.DTypeLike, head_dim: int) -> bool:
    """Whether cuDNN has a kernel: half precision, and heads of a multiple of eight numbers up to 128."""
    return jnp.dtype(dtype) in (jnp.bfloat16, jnp.float16) and head_dim % 8 == 0 and head_dim <= _LARGEST_HEAD


def attend(
    q: Float[Array, "B L K G h"], k: Float[Array, "B L K h"], v: Float[Array, "B L K h"], mask: Bool[Array, "B L L"]
) -> Float[Array, "B L K G h"]:
    """Attention within rows. No token may be masked that comes later in its row: those are never looked at."""
    rows, length, heads, group, width = q.shape
    more = length % 2  # the backward pass takes even lengths only
    flat = q.reshape(rows, length, heads * group, width)
    flat, k, v = (jnp.pad(x, ((0, 0), (0, more), (0, 0), (0, 0))) for x in (flat, k, v))
    mask = jnp.pad(mask, ((0, 0), (0, more), (0, more)))
    # A softmax over nothing would be no number, and that spreads in a backward pass.
    mask |= jnp.eye(length + more, dtype=bool)
    out = jax.nn.dot_product_attention(flat, k, v, mask=mask[:, None], is_causal=True, implementation="cudnn")
    return out[:, :length].reshape(q.shape)
