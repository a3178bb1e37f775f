"""Attention and its masks: the `jax.numpy` reference, which runs on every platform."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int


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


def in_window(positions: Int[Array, "B L"], window: int) -> Bool[Array, "B L L"]:
    """Whether a key is among the last `window` tokens that a query sees, the query's own included."""
    return positions[:, :, None] - positions[:, None, :] < window


def packed_mask(
    positions: Int[Array, "B L"], segments: Int[Array, "B L"], branches: Int[Array, "B L"] | None = None
) -> Bool[Array, "B L L"]:
    """Who sees whom in a packed row.

    A token sees the tokens of its own segment (0 is padding) at positions up to its own. With `branches`, a segment is
    a tree of depth two: branch 0 is the trunk that all share, and a token of branch b sees the trunk and branch b only,
    so that siblings are computed as if each stood alone behind the trunk.
    """
    same = (segments[:, :, None] == segments[:, None, :]) & (segments[:, :, None] > 0)
    causal = positions[:, :, None] >= positions[:, None, :]
    mask = same & causal
    if branches is not None:
        mask &= (branches[:, None, :] == 0) | (branches[:, :, None] == branches[:, None, :])
    return mask
