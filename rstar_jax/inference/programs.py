"""What runs on the device: three programs of fixed shape over two stores of keys and values.

`prefill` appends a chunk of prompt to rows of the prefix store, `admit` copies such a row into slots,
`decode` draws several tokens for all slots. Every row is computed alone (idle rows too, and nobody reads
them), so what a request gets does not depend on who shares its dispatch.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from rstar_jax.inference.layout import KEYS, over_batch
from rstar_jax.inference.sampler import candidate_keys, sample
from rstar_jax.models.config import ModelConfig
from rstar_jax.models.decoder import Cache, Params, cached_hidden_states, logits


class Slots(NamedTuple):
    """What each slot of a decode dispatch is doing; B slots."""

    token: Int[Array, " B"]  # the last one, whose successor is drawn next
    position: Int[Array, " B"]  # of `token` in its context
    drawn: Int[Array, " B"]  # tokens drawn so far
    limit: Int[Array, " B"]  # tokens to draw at most; 0: idle
    candidate: Int[Array, " B"]
    key: Int[Array, "B 2"]
    temperature: Float[Array, " B"]
    top_p: Float[Array, " B"]
    top_k: Int[Array, " B"]


class Drawn(NamedTuple):
    """What a dispatch of T steps drew: -1 where a slot was idle."""

    tokens: Int[Array, "B T"]
    logprobs: Float[Array, "B T"]


def take_rows(cache: Cache, rows: Int[Array, " R"]) -> Cache:
    """Copies of some rows of a store."""
    return jax.tree.map(lambda store: store.at[rows].get(mode="clip", out_sharding=KEYS), cache)


def put_rows(cache: Cache, rows: Int[Array, " R"], new: Cache) -> Cache:
    """The store with `new` at `rows`; a row number beyond the store is dropped."""
    # Rows move between devices of the data axes here, which only the compiler's own partitioning can express.
    put = jax.sharding.auto_axes(lambda store, rows, new: store.at[rows].set(new, mode="drop"), out_sharding=KEYS)
    return jax.tree.map(lambda store, row: put(store, rows, row), cache, new)  # pyright: ignore[reportCallIssue]


def prefill(
    config: ModelConfig,
    params: Params,
    store: Cache,
    sources: Int[Array, " R"],
    targets: Int[Array, " R"],
    tokens: Int[Array, "R L"],
    positions: Int[Array, "R L"],
) -> Cache:
    """Rows `targets` become rows `sources` with `tokens` appended at `positions`."""
    tokens, positions, sources = over_batch((tokens, positions, sources))
    _, rows = cached_hidden_states(config, params, tokens, positions, take_rows(store, sources))
    return put_rows(store, targets, rows)


def admit(slots: Cache, store: Cache, sources: Int[Array, " R"], targets: Int[Array, " R"]) -> Cache:
    """Slots `targets` become rows `sources` of the prefix store, as far as the slots reach."""
    length = slots[0][0].shape[2]
    rows = jax.tree.map(lambda row: row[:, :, :length], take_rows(store, sources))
    return put_rows(slots, targets, rows)


def decode(
    config: ModelConfig, steps: int, stop_ids: tuple[int, ...], params: Params, cache: Cache, slots: Slots
) -> tuple[Cache, Drawn]:
    """Up to `steps` tokens for every slot; ends early when none is left to draw."""
    length = cache[0][0].shape[2]
    slots = over_batch(slots)
    keys = candidate_keys(slots.key, slots.candidate)
    stops = jnp.array(stop_ids, jnp.int32)
    empty = Drawn(jnp.full_like(slots.token, -1), jnp.zeros_like(slots.temperature))
    drawn = jax.tree.map(lambda x: jnp.stack([x] * steps, axis=1), empty)

    def unfinished(state: tuple) -> Array:
        step, active = state[0], state[1]
        return (step < steps) & jnp.any(active)

    def one_token(state: tuple) -> tuple:
        step, active, token, cache, drawn = state
        position = jnp.where(active, slots.position + step, length)
        hidden, cache = cached_hidden_states(config, params, token[:, None], position[:, None], cache)
        number = slots.drawn + step
        step_keys = jax.vmap(jax.random.fold_in)(keys, number)
        new, logprob = sample(
            logits(config, params, hidden[:, 0]), step_keys, slots.temperature, slots.top_p, slots.top_k
        )
        drawn = Drawn(
            drawn.tokens.at[:, step].set(jnp.where(active, new, -1)),
            drawn.logprobs.at[:, step].set(jnp.where(active, logprob, 0.0)),
        )
        stopped = jnp.any(new[:, None] == stops[None], axis=-1)
        active = active & ~stopped & (number + 1 < slots.limit)
        return step + 1, active, jnp.where(active, new, token), cache, drawn

    first = (jnp.int32(0), slots.drawn < slots.limit, slots.token, cache, drawn)
    _, _, _, cache, drawn = jax.lax.while_loop(unfinished, one_token, first)
    return cache, drawn


class Programs:
    """The compiled programs of one engine; the stores are donated from call to call."""

    def __init__(self, config: ModelConfig, steps: int, stop_ids: tuple[int, ...]):
        # Each engine wraps its own functions: jit shares and counts what it compiled by function.
        self.prefill = jax.jit(functools.partial(prefill, config), donate_argnums=1)
        self.admit = jax.jit(functools.partial(admit), donate_argnums=0)
        self.decode = jax.jit(functools.partial(decode, config, steps, stop_ids), donate_argnums=1)

    @property
    def compilations(self) -> int:
        return sum(map(cache_size, (self.prefill, self.admit, self.decode)))


def cache_size(program: Callable) -> int:
    """Number of variants that a jitted function has compiled."""
    return program._cache_size()  # no public spelling exists (jax 0.10)
