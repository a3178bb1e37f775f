"""Rounding to bfloat16 that keeps small updates, in the mean.

bfloat16 has 8 significant bits: an update below 2^-9 of a weight is lost by rounding to the nearest, and with the
paper's learning rate of 7e-6 that is most of them. If each number is rounded up with the probability of what would be
cut off, the weights move as they should in the mean (Gupta et al. 2015).
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, BFloat16, Float, Int


def step_key(seed: int, step: Int[Array, ""]) -> jax.Array:
    """The random key of a step: the same, however often a run was interrupted."""
    return jax.random.fold_in(jax.random.fold_in(jax.random.key(seed), 2), step)


def rounded(tree: Any, like: Any, key: jax.Array | None) -> Any:
    """Arrays in the dtypes of `like`. With a key, float32 becomes bfloat16 stochastically; else to the nearest."""
    leaves, structure = jax.tree.flatten(tree)
    dtypes = [leaf.dtype for leaf in jax.tree.leaves(like)]
    return structure.unflatten(
        stochastic(leaf, jax.random.fold_in(key, number))
        if key is not None and dtype == jnp.bfloat16
        else leaf.astype(dtype)
        for number, (leaf, dtype) in enumerate(zip(leaves, dtypes, strict=True))
    )


def stochastic(x: Float[Array, "*S"], key: jax.Array) -> BFloat16[Array, "*S"]:
    """One of the two neighbours in bfloat16 of each float32, each as probable as it is near."""
    bits = jax.lax.bitcast_convert_type(x, jnp.uint32)
    noise = jax.random.bits(key, x.shape, jnp.uint16, out_sharding=jax.typeof(x).sharding)
    # What is left of the lower half carries into the upper one as often as it is large.
    upper = ((bits + noise.astype(jnp.uint32)) >> 16).astype(jnp.uint16)
    return jax.lax.bitcast_convert_type(upper, jnp.bfloat16)
