"""Room for new tokens: embeddings of another size, and what new rows start from."""

from __future__ import annotations

import dataclasses
from typing import Literal

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from rstar_jax.models.config import ModelConfig
from rstar_jax.models.decoder import Params, logical_axes
from rstar_jax.models.sharding import shardings

NewRows = Literal["released", "mean"]


def resize(
    config: ModelConfig,
    params: Params,
    size: int,
    known: int,
    new_rows: NewRows = "released",
    seed: int = 0,
) -> tuple[ModelConfig, Params]:
    """The language model with `size` tokens, of which the first `known` had a meaning before. The mesh must be set.

    Published embeddings often have more rows than their tokenizer has tokens (Qwen2.5: 151,936 and 151,665), and the
    authors' training cuts them to the tokens that there are after adding its own.

    Args:
      new_rows: what tokens from `known` on start from. "released": the spare rows of the published embedding, and
        behind those normal numbers with a deviation of 0.02, as transformers 4.45 drew them. "mean": the mean of all
        known rows, so that a new token is as likely as an average one (transformers since 4.46, Hewitt 2021).

    Raises:
      ValueError: `size` would drop tokens that have a meaning.
    """
    if size < known:
        raise ValueError(f"{size} tokens have no room for the {known} that there are")
    new = dataclasses.replace(config, vocab_size=size)
    places = shardings(logical_axes(new), jax.sharding.get_mesh())["outer"]
    outer = dict(params["outer"])
    keys = jax.random.split(jax.random.key(seed))
    for key, (name, axis) in zip(keys, (("embed", 0), ("lm_head", 1)), strict=True):
        if name in outer:
            change = jax.jit(_resized, static_argnums=(1, 2, 3, 4, 5), out_shardings=places[name])
            outer[name] = change(outer[name], config.vocab_size, new, known, axis, new_rows, key)
    return new, params | {"outer": outer}


def _resized(
    table: Float[Array, "A B"], old: int, new: ModelConfig, known: int, axis: int, new_rows: NewRows, key: jax.Array
) -> Float[Array, "C D"]:
    rows = jnp.moveaxis(jax.sharding.reshard(table, jax.sharding.PartitionSpec(None, None)), axis, 0)
    place = jnp.arange(new.rows)[:, None]
    kept = jnp.pad(rows, ((0, max(0, new.rows - len(rows))), (0, 0)))[: new.rows]
    if new_rows == "mean":
        fresh = jnp.broadcast_to(jnp.mean(rows[:known].astype(jnp.float32), axis=0), kept.shape)
        first = known
    else:
        fresh = 0.02 * jax.random.normal(key, kept.shape, jnp.float32)
        first = old
    out = jnp.where(place < min(first, old), kept, fresh.astype(kept.dtype))
    return jnp.moveaxis(jnp.where(place < new.vocab_size, out, 0).astype(table.dtype), 0, axis)
