"""CPU: attention by blocks, in plain `jax`.

A packed row holds short sequences, so most blocks of its L x L scores are hidden whole. Those are never computed: a
block of queries takes the blocks of keys in turn of which any row of the shard sees anything, with a running maximum
and sum (Milakov and Gimelshein 2018), and the backward pass computes the weights again from the logarithm of that sum
(Dao et al. 2022). What is kept grows with L, not with its square, and a block's scores stay in the cache.
"""

from __future__ import annotations

import functools
from typing import NamedTuple, cast

import jax
import jax.numpy as jnp
from jax.ad_checkpoint import checkpoint_name
from jaxtyping import Array, Bool, Float

BLOCK = 64  # with more, a block's scores in all heads of a group leave the second-level cache
_HIDDEN = -1e30  # of a score
_LOWEST = -1e29  # of a maximum: the weights of a token that sees nothing are zero


class Blocks(NamedTuple):
    """A mask [B, L, L] by blocks of queries and of keys, n of each.

    Attributes:
      mask: [query, key]; hides all that lies behind a row's end.
      turned: the same as [key, query]: what reads bits across their order is slower than what computes with them.
      seen: whether any token of one block sees any of the other, in each row.
    """

    mask: Bool[Array, "n n B b b"]
    turned: Bool[Array, "n n B b b"]
    seen: Bool[Array, "n n B"]


def blocks(mask: Bool[Array, "B L L"], block: int = BLOCK) -> Blocks:
    rows, length, _ = mask.shape
    block = min(block, length)
    more = -length % block
    mask = jnp.pad(mask, ((0, 0), (0, more), (0, more)))
    mask = mask.reshape(rows, (length + more) // block, block, (length + more) // block, block)
    mask = mask.transpose(1, 3, 0, 2, 4)
    return Blocks(mask, mask.swapaxes(3, 4), jnp.any(mask, axis=(3, 4)))


def attend(
    q: Float[Array, "B L K G h"], k: Float[Array, "B L K h"], v: Float[Array, "B L K h"], where: Blocks, name: str
) -> Float[Array, "B L K G h"]:
    """Attention within rows, with float32 softmax; a token that sees nothing gets zeros.

    name: of what the backward pass needs besides q, k and v, for `models.remat`.
    """
    block = where.mask.shape[-1]
    rows, length, heads, group, width = q.shape
    q, k, v = (_by_block(x, block) for x in (q, k[:, :, :, None], v[:, :, :, None]))
    out = cast(jax.Array, _attend(name, q, k[:, :, :, 0], v[:, :, :, 0], where))
    return out.transpose(1, 0, 4, 2, 3, 5).reshape(rows, -1, heads, group, width)[:, :length]


def _by_block(x: Float[Array, "B L K G h"], block: int) -> Float[Array, "n B K G b h"]:
    rows, length, *heads = x.shape
    x = jnp.pad(x, ((0, 0), (0, -length % block), (0, 0), (0, 0), (0, 0)))
    return x.reshape(rows, -1, block, *heads).transpose(1, 0, 3, 4, 2, 5)


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def _attend(name: str, q: Array, k: Array, v: Array, where: Blocks) -> Float[Array, "n B K G Q h"]:
    return _forward(name, q, k, v, where)[0]


def _forward(name: str, q: Array, k: Array, v: Array, where: Blocks):
    """Heads, and what the gradient is computed from."""
    scale = q.shape[-1] ** -0.5

    def of_queries(_, part: tuple[Array, Array, Array, Array]):
        queries, mask, order, count = part

        def look(turn: Array, carry: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
            top, total, out = carry
            at = order[turn]
            scores = _product("BKGQh,BKSh->BKGQS", queries, k[at]) * scale
            scores = jnp.where(mask[at][:, None, None], scores, _HIDDEN)
            higher = jnp.maximum(top, jnp.max(scores, axis=-1))
            weights, shrink = jnp.exp(scores - higher[..., None]), jnp.exp(top - higher)
            more = _product("BKGQS,BKSh->BKGQh", weights.astype(v.dtype), v[at])
            return higher, shrink * total + jnp.sum(weights, axis=-1), shrink[..., None] * out + more

        zeros = jnp.zeros(queries.shape, jnp.float32)
        start = jnp.full(queries.shape[:-1], _LOWEST), zeros[..., 0], zeros
        top, total, out = jax.lax.fori_loop(0, count, look, start)
        total = jnp.maximum(total, jnp.finfo(jnp.float32).tiny)
        return None, ((out / total[..., None]).astype(v.dtype), top + jnp.log(total))

    _, (out, logs) = jax.lax.scan(of_queries, None, (q, where.mask, *_turns(where)))
    out, logs = checkpoint_name((out, logs), name)
    return out, (q, k, v, where, out, logs)


def _backward(name: str, kept, by_out: Array):
    """Scores are transposed here, keys first, so that only one of five products has a factor to turn round."""
    q, k, v, where, out, logs = kept
    scale = q.shape[-1] ** -0.5
    inner = jnp.sum(by_out.astype(jnp.float32) * out, axis=-1)

    def of_queries(carry: tuple[Array, Array], part: tuple[Array, ...]) -> tuple[tuple[Array, Array], Array]:
        queries, by_heads, log, own, turned, order, count = part

        def look(turn: Array, carry: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
            by_queries, by_k, by_v = carry
            at = order[turn]
            scores = _product("BKSh,BKGQh->BKSGQ", k[at], queries) * scale
            weights = jnp.exp(jnp.where(turned[at][:, None, :, None], scores, _HIDDEN) - log[:, :, None])
            by_weights = _product("BKSh,BKGQh->BKSGQ", v[at], by_heads)
            by_scores = (weights * (by_weights - own[:, :, None]) * scale).astype(k.dtype)
            return (
                by_queries + _product("BKSGQ,BKSh->BKGQh", by_scores, k[at]),
                by_k.at[at].add(_product("BKSGQ,BKGQh->BKSh", by_scores, queries)),
                by_v.at[at].add(_product("BKSGQ,BKGQh->BKSh", weights.astype(v.dtype), by_heads)),
            )

        start = jnp.zeros(queries.shape, jnp.float32), carry[0], carry[1]
        by_queries, by_k, by_v = jax.lax.fori_loop(0, count, look, start)
        return (by_k, by_v), by_queries.astype(q.dtype)

    parts = q, by_out, logs, inner, where.turned, *_turns(where)
    zeros = jnp.zeros(k.shape, jnp.float32)
    (by_k, by_v), by_q = jax.lax.scan(of_queries, (zeros, zeros), parts)
    return by_q, by_k.astype(k.dtype), by_v.astype(v.dtype), None


_attend.defvjp(_forward, _backward)


def _turns(where: Blocks) -> tuple[Array, Array]:
    """For each block of queries: the blocks of keys, those that any row sees first, and how many these are."""
    seen = jnp.any(where.seen, axis=-1)
    return jnp.argsort(~seen, axis=1), jnp.sum(seen, axis=1)


def _product(equation: str, x: Array, y: Array) -> Array:
    return jnp.einsum(equation, x, y, preferred_element_type=jnp.float32)
