"""Attention over gathered pages in `jax.numpy`, block by block with a running softmax; siblings share their reads.

An item is some rows that see (a beginning of) the same block table: consecutive new tokens of one sequence. A family is
some items whose tables begin alike, siblings behind one trunk. A family's trunk is gathered once for all of its rows,
the rest once for each item; so products are those of matrices, not of vectors.

Blocks are aligned to positions and taken in order, and a block that a row does not see changes none of its bits. Hence
a row's result depends neither on the table's width, nor on its neighbours, nor on how rows are grouped into items and
families, as long as matrix products treat their rows alike.

With a window a row sees the last `window` of its tokens only. Blocks before it are read all the same: windows of the
models that have one are about as long as the contexts of the method.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

_UNSEEN = -1e30
_QUERIES = 256  # of families whose trunks are read at once
_TAILS = 16  # items whose tails are read at once: their keys stay in a core's cache


class Running(NamedTuple):
    """A softmax under way: largest score, sum of weights, weighted sum of values."""

    top: Float[Array, "I K M"]
    total: Float[Array, "I K M"]
    out: Float[Array, "I K M h"]

    @classmethod
    def empty(cls, items: int, heads: int, queries: int, width: int) -> Running:
        shape = (items, heads, queries)
        return cls(jnp.full(shape, _UNSEEN), jnp.zeros(shape), jnp.zeros((*shape, width)))

    def finished(self) -> Float[Array, "I K M h"]:
        """Rows that saw nothing give zeros or leftovers; nobody reads them."""
        return self.out / jnp.maximum(self.total, 1e-30)[..., None]


def attend_blocks(
    q: Float[Array, "I K M h"],
    pool: Float[Array, "P T 2K h"],
    tables: Int[Array, "I W"],
    visible: Int[Array, "I M"],
    scale: float,
    block: int,
    count: Int[Array, ""],
    running: Running,
    first: Int[Array, " I"] | None = None,
    since: Int[Array, "I M"] | None = None,
) -> Running:
    """Add `count` blocks of `block` tokens, from block `first` of each item on, to a softmax under way.

    visible: how many tokens of its table a query sees. since: the first of them; 0 where it is not given.
    """
    if q.shape[2] == 1:  # a product of a vector sums in another order than that of a matrix, so there are always two
        q, running = jnp.repeat(q, 2, axis=2), _twice(running)
        visible, since = jax.tree.map(lambda x: jnp.repeat(x, 2, axis=1), (visible, since))
        both = attend_blocks(q, pool, tables, visible, scale, block, count, running, first, since)
        return jax.tree.map(lambda x: x[:, :, :1], both)
    (items, heads, _, width), (_, size, _, _) = q.shape, pool.shape
    pages = block // size
    first = jnp.zeros(items, jnp.int32) if first is None else first

    def add(number: Array, running: Running) -> Running:
        start = first + number
        columns = start[:, None] * pages + jnp.arange(pages)
        chosen = jnp.take_along_axis(tables, columns, axis=1, mode="clip")
        kv = pool.at[chosen].get(mode="clip").reshape(items, block, heads, 2, width)
        scores = jnp.einsum("IKMh,ITKh->IKMT", q, kv[:, :, :, 0], preferred_element_type=jnp.float32)
        place = start[:, None] * block + jnp.arange(block)
        seen = place[:, None, :] < visible[:, :, None]
        if since is not None:
            seen &= place[:, None, :] >= since[:, :, None]
        scores = jnp.where(seen[:, None], scores * scale, _UNSEEN)
        top = jnp.maximum(running.top, jnp.max(scores, axis=-1))
        weights, kept = jnp.exp(scores - top[..., None]), jnp.exp(running.top - top)
        new = jnp.einsum(
            "IKMT,ITKh->IKMh", weights.astype(kv.dtype), kv[:, :, :, 1], preferred_element_type=jnp.float32
        )
        return Running(top, running.total * kept + jnp.sum(weights, -1), running.out * kept[..., None] + new)

    return jax.lax.fori_loop(0, count, add, running)


def _twice(running: Running) -> Running:
    return jax.tree.map(lambda x: jnp.repeat(x, 2, axis=2), running)


def attend_items(
    q: Float[Array, "R K G h"],
    pool: Float[Array, "P T 2K h"],
    tables: Int[Array, "I W"],
    visible: Int[Array, " R"],
    trunk: Int[Array, " I"],
    members: Sequence[Int[Array, "F S"]],
    scale: float,
    block: int,
    window: int | None = None,
) -> Float[Array, "R K G h"]:
    """R/I consecutive rows behind each table; row r sees the first `visible[r]` tokens of it.

    trunk: tokens that an item shares with all items of its family, a multiple of `block`; none for an item that is in
    no family. members: for each width S, the items of each family (-1: none), families in use first.
    """
    items, (_, heads, group, width) = len(tables), q.shape
    side = len(q) // items
    queries = q.reshape(items, side, heads, group, width).swapaxes(1, 2).reshape(items, heads, side * group, width)
    seen = jnp.repeat(visible.reshape(items, side), group, axis=1)
    since = None if window is None else seen - window
    longest = jnp.max(seen, axis=1)
    trunk = jnp.where(longest > 0, trunk, 0)
    rows = _Rows(queries, tables, seen, since, trunk // block, -(-longest // block))
    running = Running.empty(items, heads, side * group, width)
    for families in members:
        running = _trunks(rows, pool, families, running, scale, block)
    out = _tails(rows, pool, running, scale, block).finished()
    return out.reshape(items, heads, side, group, width).swapaxes(1, 2).reshape(-1, heads, group, width)


class _Rows(NamedTuple):
    """Items of M queries. first: blocks of the trunk; last: blocks of all that a query sees."""

    q: Float[Array, "I K M h"]
    tables: Int[Array, "I W"]
    visible: Int[Array, "I M"]
    since: Int[Array, "I M"] | None
    first: Int[Array, " I"]
    last: Int[Array, " I"]


def _trunks(
    rows: _Rows, pool: Array, members: Int[Array, "F S"], running: Running, scale: float, block: int
) -> Running:
    """The softmax over their trunks for the items of some families, a few families at a time."""
    (items, heads, queries, width), side = rows.q.shape, members.shape[1]
    together = math.gcd(len(members), max(1, _QUERIES // (side * queries)))

    def some(number: Array, running: Running) -> Running:
        chosen = jax.lax.dynamic_slice_in_dim(members, number * together, together)
        item = jnp.maximum(chosen, 0)
        blocks = jnp.where(chosen >= 0, rows.first[item], 0)
        seen = jnp.repeat(blocks * block, queries, axis=1)
        since = None if rows.since is None else rows.since[item].reshape(together, -1)
        q = rows.q[item].swapaxes(1, 2).reshape(together, heads, side * queries, width)
        empty = Running.empty(together, heads, side * queries, width)
        table, count = rows.tables[item[:, 0]], jnp.max(blocks)
        new = attend_blocks(q, pool, table, seen, scale, block, count, empty, None, since)
        target = jnp.where(chosen >= 0, chosen, items).reshape(-1)
        return jax.tree.map(lambda all_, part: all_.at[target].set(_by_item(part, side), mode="drop"), running, new)

    used = jnp.sum(members[:, 0] >= 0)
    return jax.lax.fori_loop(0, -(-used // together), some, running)


def _by_item(x: Array, side: int) -> Array:
    """[F, K, S * M, …] of families as [F * S, K, M, …] of items."""
    families, heads, queries = x.shape[:3]
    x = x.reshape(families, heads, side, queries // side, *x.shape[3:]).swapaxes(1, 2)
    return x.reshape(families * side, heads, queries // side, *x.shape[4:])


def _tails(rows: _Rows, pool: Array, running: Running, scale: float, block: int) -> Running:
    """Every item by itself from its trunk on: some at a time, those together that have most blocks to go."""
    items = len(rows.q)
    together = math.gcd(items, _TAILS)
    order = jnp.argsort(rows.first - rows.last)
    rows, running = jax.tree.map(lambda x: x[order], (rows, running))

    def some(number: Array, state: Running) -> Running:
        start = number * together
        part, before = jax.tree.map(lambda x: jax.lax.dynamic_slice_in_dim(x, start, together), (rows, state))
        count = jnp.max(part.last - part.first)
        new = attend_blocks(
            part.q, pool, part.tables, part.visible, scale, block, count, before, part.first, part.since
        )
        return jax.tree.map(lambda all_, x: jax.lax.dynamic_update_slice_in_dim(all_, x, start, 0), state, new)

    running = jax.lax.fori_loop(0, items // together, some, running)
    return jax.tree.map(lambda x: x[jnp.argsort(order)], running)


def attend_gathered(
    q: Float[Array, "R K G h"],
    pool: Float[Array, "P T 2K h"],
    tables: Int[Array, "R W"],
    visible: Int[Array, " R"],
    scale: float,
    window: int | None = None,
) -> Float[Array, "R K G h"]:
    """The textbook form: every row gathers all its pages. The oracle of the tests."""
    rows, heads, _, width = q.shape
    kv = pool[tables].reshape(rows, -1, heads, 2, width)
    scores = jnp.einsum("RKGh,RTKh->RKGT", q, kv[:, :, :, 0], preferred_element_type=jnp.float32) * scale
    place = jnp.arange(kv.shape[1])
    seen = place < visible[:, None]
    if window is not None:
        seen &= place >= visible[:, None] - window
    weights = jax.nn.softmax(jnp.where(seen[:, None, None], scores, _UNSEEN), axis=-1)
    return jnp.einsum("RKGT,RTKh->RKGh", weights.astype(kv.dtype), kv[:, :, :, 1], preferred_element_type=jnp.float32)
