"""What runs on the device: programs of fixed shape over one pool of pages, which is donated from call to call.

    extend   new tokens of many sequences go through the model and into their pages (prefill, scoring)
    decode   draws several tokens for every row
    copy     copies pages, for those who go on in the middle of one

Every row is computed alone, idle rows too, and nobody reads them: what a request gets does not depend on who shares
its dispatch.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from rstar_jax.inference.attention import Items, PagedAttention
from rstar_jax.inference.layout import POOL, Anywhere, over_batch
from rstar_jax.inference.sampler import candidate_keys, sample
from rstar_jax.models.config import Head, ModelConfig
from rstar_jax.models.decoder import Params, cached_hidden_states, logits, values

Pools = list[jax.Array]  # per layer, [P, T, 2K, h]


class Slots(NamedTuple):
    """What each row of a decode dispatch is doing."""

    token: Int[Anywhere, " R"]  # the last one, whose successor is drawn next
    position: Int[Anywhere, " R"]  # of `token` in its context
    drawn: Int[Anywhere, " R"]  # tokens drawn so far
    limit: Int[Anywhere, " R"]  # tokens to draw at most; 0: idle
    candidate: Int[Anywhere, " R"]
    key: Int[Anywhere, "R 2"]
    temperature: Float[Anywhere, " R"]
    top_p: Float[Anywhere, " R"]
    top_k: Int[Anywhere, " R"]


class Drawn(NamedTuple):
    """What a dispatch of D steps drew: -1 where a row was idle."""

    tokens: Int[Anywhere, "R D"]
    logprobs: Float[Anywhere, "R D"]


def extend(
    config: ModelConfig,
    head: Head,
    attention: PagedAttention,
    params: Params,
    pools: Pools,
    tokens: Int[Array, " R"],
    where: Items,
) -> tuple[Pools, Float[Array, " R"] | None]:
    """The pools with the rows' keys and values; with a value head also the raw value at every row."""
    tokens, where = over_batch((tokens, where))
    positions = jnp.maximum(where.positions, 0)[:, None]
    hidden, pools = cached_hidden_states(config, params, tokens[:, None], positions, pools, attention(where))
    return pools, values(params, hidden[:, 0]) if head == "value" else None


def decode(
    config: ModelConfig,
    attention: PagedAttention,
    steps: int,
    stop_ids: tuple[int, ...],
    params: Params,
    pools: Pools,
    slots: Slots,
    where: Items,
) -> tuple[Pools, Drawn]:
    """Up to `steps` tokens for every row; ends early when none is left to draw. `where.positions` is not used."""
    slots, where = over_batch((slots, where))
    keys = candidate_keys(slots.key, slots.candidate)
    stops = jnp.array(stop_ids, jnp.int32)
    empty = Drawn(jnp.full_like(slots.token, -1), jnp.zeros_like(slots.temperature))
    drawn = jax.tree.map(lambda x: jnp.stack([x] * steps, axis=1), empty)

    def unfinished(state: tuple) -> Array:
        step, active = state[0], state[1]
        return (step < steps) & jnp.any(active)

    def one_token(state: tuple) -> tuple:
        step, active, token, pools, drawn = state
        position = slots.position + step
        attend = attention(where._replace(positions=jnp.where(active, position, -1)))
        hidden, pools = cached_hidden_states(config, params, token[:, None], position[:, None], pools, attend)
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
        return step + 1, active, jnp.where(active, new, token), pools, drawn

    first = (jnp.int32(0), slots.drawn < slots.limit, slots.token, pools, drawn)
    _, _, _, pools, drawn = jax.lax.while_loop(unfinished, one_token, first)
    return pools, drawn


def copy(pools: Pools, sources: Int[Array, " C"], targets: Int[Array, " C"]) -> Pools:
    """Pages `targets` become pages `sources`, in each shard; a page beyond the pool is dropped."""
    sources, targets = over_batch((sources, targets))
    rows = jax.typeof(sources).sharding.spec

    def local(pool: Array, sources: Array, targets: Array) -> Array:
        return pool.at[targets].set(pool.at[sources].get(mode="clip"), mode="drop")

    one = jax.shard_map(local, in_specs=(POOL, rows, rows), out_specs=POOL, check_vma=False)
    return [one(pool, sources, targets) for pool in pools]


class Programs:
    """The compiled programs of one engine."""

    def __init__(
        self, config: ModelConfig, head: Head, attention: PagedAttention, steps: int, stop_ids: tuple[int, ...]
    ):
        # Each engine wraps its own functions: jit shares and counts what it compiled by function.
        self.extend = jax.jit(functools.partial(extend, config, head, attention), donate_argnums=1)
        self.decode = jax.jit(functools.partial(decode, config, attention, steps, stop_ids), donate_argnums=1)
        self.copy = jax.jit(functools.partial(copy), donate_argnums=0)

    @property
    def compilations(self) -> int:
        return sum(map(cache_size, (self.extend, self.decode, self.copy)))


def cache_size(program: Callable) -> int:
    """Number of variants that a jitted function has compiled."""
    return program._cache_size()  # no public spelling exists (jax 0.10)
