"""Attention over gathered pages in `jax.numpy`, block by block with a running softmax; siblings share their reads.

An item is up to S query rows that see (a beginning of) the same block table: consecutive new tokens of one sequence,
or siblings behind one trunk. So a page is gathered once for all of them, and their products are matrices, not vectors.

Blocks are aligned to positions and taken in order, and a block that a row does not see changes none of its bits. Hence
a row's result depends neither on the table's width, nor on its neighbours, nor on how rows are grouped into items,
as long as matrix products treat their rows alike.

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
_ITEMS = 8  # that are computed at once
_TAILS = 16  # rows whose tails are read together: their keys stay in a core's cache


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


def attend_chunks(
    q: Float[Array, "R K G h"],
    pool: Float[Array, "P T 2K h"],
    tables: Int[Array, "I W"],
    visible: Int[Array, " R"],
    scale: float,
    block: int,
    window: int | None = None,
) -> Float[Array, "R K G h"]:
    """R/I consecutive rows behind each table; row r sees the first `visible[r]` tokens of it."""
    items, (_, heads, group, width) = len(tables), q.shape
    side = len(q) // items
    q = q.reshape(items, side, heads, group, width).swapaxes(1, 2).reshape(items, heads, side * group, width)
    seen = jnp.repeat(visible.reshape(items, side), group, axis=1)
    count = -(-jnp.max(visible) // block)
    empty = Running.empty(items, heads, side * group, width)
    since = None if window is None else seen - window
    out = attend_blocks(q, pool, tables, seen, scale, block, count, empty, since=since).finished()
    return out.reshape(items, heads, side, group, width).swapaxes(1, 2).reshape(-1, heads, group, width)


def attend_siblings(
    q: Float[Array, "R K G h"],
    pool: Float[Array, "P T 2K h"],
    tables: Int[Array, "R W"],
    visible: Int[Array, " R"],
    trunk: Int[Array, " R"],
    members: Sequence[Int[Array, "I S"]],
    scale: float,
    block: int,
    window: int | None = None,
) -> Float[Array, "R K G h"]:
    """One new token per row. Rows of one item read their common trunk together, and the rest each by itself.

    trunk: tokens that a row shares with all rows of its item, a multiple of `block`. members: for each width S of
    items, the rows of each item (-1: none), items in use first. Every row that is not idle is in one item.
    """
    rows, heads, group, width = q.shape
    running = Running.empty(rows, heads, group, width)
    trunk = jnp.where(visible > 0, trunk, 0)
    since = None if window is None else visible - window
    for items in members:
        running = _trunks(q, pool, tables, trunk, since, items, running, scale, block)
    return _tails(q, pool, tables, visible, since, trunk // block, running, scale, block).finished()


def _trunks(
    q: Array,
    pool: Array,
    tables: Array,
    trunk: Array,
    since: Array | None,
    members: Array,
    running: Running,
    scale: float,
    block: int,
) -> Running:
    """The softmax over their trunks for the rows of some items, a few items at a time."""
    (rows, heads, group, width), side = q.shape, members.shape[1]
    together = math.gcd(len(members), _ITEMS)

    def some(number: Array, running: Running) -> Running:
        chosen = jax.lax.dynamic_slice_in_dim(members, number * together, together)
        row = jnp.maximum(chosen, 0)
        seen = jnp.where(chosen >= 0, trunk[row], 0)
        queries = q[row].swapaxes(1, 2).reshape(together, heads, side * group, width)
        empty = Running.empty(together, heads, side * group, width)
        by_head = jax.tree.map(lambda x: jnp.repeat(x, group, axis=1), (seen, None if since is None else since[row]))
        count = jnp.max(seen) // block
        new = attend_blocks(queries, pool, tables[row[:, 0]], by_head[0], scale, block, count, empty, None, by_head[1])
        target = jnp.where(chosen >= 0, chosen, rows).reshape(-1)
        return jax.tree.map(lambda all_, part: all_.at[target].set(_by_row(part, side), mode="drop"), running, new)

    used = jnp.sum(members[:, 0] >= 0)
    return jax.lax.fori_loop(0, -(-used // together), some, running)


def _by_row(x: Array, side: int) -> Array:
    """[I, K, S * G, …] of items as [I * S, K, G, …] of rows."""
    items, heads, queries = x.shape[:3]
    x = x.reshape(items, heads, side, queries // side, *x.shape[3:]).swapaxes(1, 2)
    return x.reshape(items * side, heads, queries // side, *x.shape[4:])


def _tails(
    q: Array,
    pool: Array,
    tables: Array,
    visible: Array,
    since: Array | None,
    first: Array,
    running: Running,
    scale: float,
    block: int,
) -> Running:
    """Every row by itself from block `first` on: some rows at a time, those together that have most blocks to go."""
    rows, _, group, _ = q.shape
    together = math.gcd(rows, _TAILS)
    counts = -(-visible // block) - first
    order = jnp.argsort(-counts)
    seen, since = jax.tree.map(lambda x: jnp.broadcast_to(x[:, None], (rows, group)), (visible, since))
    q, tables, seen, since, first, counts, running = jax.tree.map(
        lambda x: x[order], (q, tables, seen, since, first, counts, running)
    )

    def some(number: Array, state: Running) -> Running:
        start = number * together
        part = jax.tree.map(
            lambda x: jax.lax.dynamic_slice_in_dim(x, start, together), (q, tables, seen, since, first, counts, state)
        )
        queries, of_rows, seen_, since_, first_, counts_, before = part
        new = attend_blocks(queries, pool, of_rows, seen_, scale, block, jnp.max(counts_), before, first_, since_)
        return jax.tree.map(lambda all_, x: jax.lax.dynamic_update_slice_in_dim(all_, x, start, 0), state, new)

    running = jax.lax.fori_loop(0, rows // together, some, running)
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
