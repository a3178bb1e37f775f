"""Draws one token per row. A row's draw depends on its own logits, key and parameters only."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key

from rstar_jax.inference.layout import over_batch


def candidate_keys(key_data: Int[Array, "B 2"], candidates: Int[Array, " B"]) -> Key[Array, " B"]:
    """The key of each candidate: its request's key folded with its number."""
    keys = jax.random.wrap_key_data(key_data, impl="threefry2x32")
    return jax.vmap(jax.random.fold_in)(keys, candidates)


def sample(
    logits: Float[Array, "B V"],
    keys: Key[Array, " B"],
    temperature: Float[Array, " B"],
    top_p: Float[Array, " B"],
    top_k: Int[Array, " B"],
) -> tuple[Int[Array, " B"], Float[Array, " B"]]:
    """Tokens, and their log-probabilities under the plain model (temperature 1, nothing filtered)."""
    logits, keys, temperature, top_p, top_k = over_batch((logits, keys, temperature, top_p, top_k))
    greedy = jnp.argmax(logits, axis=-1)
    scaled = logits / jnp.where(temperature > 0, temperature, 1.0)[:, None]
    filtered = jax.lax.cond(
        jnp.any((top_p < 1) | (top_k > 0)),
        lambda: jnp.where(scaled >= _threshold(scaled, top_p, top_k)[:, None], scaled, -jnp.inf),
        lambda: scaled,
    )
    tokens = jnp.where(temperature > 0, _invert(filtered, keys), greedy).astype(jnp.int32)
    chosen = jax.vmap(lambda row, token: row[token])(logits, tokens)
    return tokens, chosen - jax.nn.logsumexp(logits, axis=-1)


def _threshold(scaled: Float[Array, "B V"], top_p: Float[Array, " B"], top_k: Int[Array, " B"]) -> Float[Array, " B"]:
    """The smallest logit that may be drawn; minus infinity for a row without filters."""
    vocab = scaled.shape[-1]
    descending = -jnp.sort(-scaled, axis=-1)
    ranks = jnp.arange(vocab)[None]
    in_k = ranks < jnp.where(top_k > 0, top_k, vocab)[:, None]
    probabilities = jax.nn.softmax(jnp.where(in_k, descending, -jnp.inf), axis=-1)
    before = jnp.cumsum(probabilities, axis=-1) - probabilities
    kept = in_k & ((before < top_p[:, None]) | (ranks == 0))
    threshold = jnp.min(jnp.where(kept, descending, jnp.inf), axis=-1)
    return jnp.where((top_p < 1) | (top_k > 0), threshold, -jnp.inf)


def _invert(scaled: Float[Array, "B V"], keys: Key[Array, " B"]) -> Int[Array, " B"]:
    """Inverse of the cumulative distribution at one uniform number per row: first a block of tokens is drawn,
    then a token of it, which takes one pass over the vocabulary.
    """
    rows, vocab = scaled.shape
    size = 1 << (vocab.bit_length() + 1) // 2  # about the square root
    weights = jnp.exp(scaled - jnp.max(scaled, axis=-1, keepdims=True))
    weights = jnp.pad(weights, ((0, 0), (0, -vocab % size))).reshape(rows, -1, size)
    block, rest = _cross(jnp.sum(weights, axis=-1), jax.vmap(jax.random.uniform)(keys))
    token, _ = _cross(jax.vmap(lambda row, at: row[at])(weights, block), rest)
    return block * size + token


def _cross(weights: Float[Array, "B M"], uniform: Float[Array, " B"]) -> tuple[Int[Array, " B"], Float[Array, " B"]]:
    """Where the running sum of `weights` crosses `uniform` of the total, and how far into that place: [0, 1)."""
    running = jnp.cumsum(weights, axis=-1)
    target = uniform * running[:, -1]
    # Rounding may let the sum cross at a place of weight zero, or nowhere: then the heaviest place is taken.
    hit = (running > target[:, None]) & (weights > 0)
    place = jnp.where(jnp.any(hit, axis=-1), jnp.argmax(hit, axis=-1), jnp.argmax(weights, axis=-1))
    upper, weight = jax.vmap(lambda r, w, at: (r[at], w[at]))(running, weights, place)
    return place, jnp.clip((target - (upper - weight)) / weight, 0.0, 1.0 - 2.0**-24)
