"""The projection to the vocabulary: the embedding read backwards where the two are tied, else a matrix of its own."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from rstar_jax.models.config import ModelConfig


def weight(config: ModelConfig, params: dict[str, Any]) -> Float[Array, "R C"]:
    """As it rests: [V, D] where tied, else [D, V]."""
    return params["outer"]["embed" if config.tie_embeddings else "lm_head"]


def axes(config: ModelConfig) -> tuple[str, str]:
    """The logical axes of `weight`."""
    return ("vocab", "embed") if config.tie_embeddings else ("embed", "vocab")


def project(config: ModelConfig, gathered: jax.Array, hidden: Float[Array, "*B D"]) -> Float[Array, "*B V"]:
    """Next-token logits in float32; the padding of the vocabulary has no probability.

    gathered: `weight` over fsdp, in the dtype of `hidden`.
    """
    equation = "...D,VD->...V" if config.tie_embeddings else "...D,DV->...V"
    out = jnp.einsum(equation, hidden, gathered, preferred_element_type=jnp.float32)
    if config.rows == config.vocab_size:
        return out
    return jnp.where(jnp.arange(config.rows) < config.vocab_size, out, -1e30)
