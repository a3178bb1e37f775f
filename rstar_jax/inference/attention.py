"""Paged attention: new keys and values go to their pages, then queries look at theirs. One function chooses how.

    blocks      `jax.numpy`, every platform: siblings share the reading of their trunk (`blocks`)
    gathered    `jax.numpy`, every platform: the textbook form, the oracle of the tests
    tpu         the ragged paged attention kernel of JAX (`kernels.tpu`)
    gpu         a Triton kernel (`kernels.gpu`)

All of it runs under `shard_map`: a shard has its own rows, pages and heads, and nothing is communicated.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from rstar_jax.inference import blocks
from rstar_jax.inference.kernels import gpu, tpu
from rstar_jax.inference.layout import NEW, POOL, QUERIES, Anywhere, rows_spec
from rstar_jax.models.decoder import Attend
from rstar_jax.models.sharding import AnyMesh, platform

Implementation = Literal["blocks", "gathered", "tpu", "gpu"]
Put = Callable[[Array, Array, Array, Array], Array]  # `scatter`, or what does the same


class Items(NamedTuple):
    """Rows of a dispatch: R/I consecutive new tokens of one sequence to an item, or one (decoding).

    trunk, members: what families of items share; see `blocks.attend_items`. Kernels read each item by itself.
    """

    tables: Int[Anywhere, "I W"]
    positions: Int[Anywhere, " R"]  # -1: padding, or idle
    trunk: Int[Anywhere, " I"]
    members: tuple[Int[Anywhere, "I S"], ...]


@dataclasses.dataclass(frozen=True)
class PagedAttention:
    """How a pool is read and written.

    block: tokens per step of the `jax.numpy` form. window: how many tokens a row sees, itself included.
    """

    implementation: Implementation
    block: int
    window: int | None = None

    def __call__(self, where: Items) -> Attend:
        """What the decoder calls in every layer; the layer's cache is its pool [P, T, 2K, h]."""

        def attend(q: Array, k: Array, v: Array, pool: Array) -> tuple[Array, Array]:
            specs = jax.tree.map(rows_spec, where)
            local = jax.shard_map(
                self._local, in_specs=(QUERIES, NEW, NEW, POOL, specs), out_specs=(QUERIES, POOL), check_vma=False
            )
            heads, pool = local(q[:, 0], k[:, 0], v[:, 0], pool, where)
            return heads[:, None], pool

        return attend

    def _local(self, q: Array, k: Array, v: Array, pool: Array, where: Items) -> tuple[Array, Array]:
        width, tables = k.shape[-1], where.tables
        per_row = jnp.repeat(tables, len(q) // len(tables), axis=0)
        put = tpu.put if self.implementation == "tpu" else scatter
        pool = write(pool, per_row, where.positions, k, v, put)
        q = jnp.pad(q, ((0, 0),) * 3 + ((0, pool.shape[-1] - width),))
        visible, scale, window = where.positions + 1, width**-0.5, self.window
        if self.implementation == "tpu":
            heads = tpu.attend(q, pool, tables, visible, scale, window)
        elif self.implementation == "gpu":
            heads = gpu.attend(q, pool, tables, visible, scale, window)
        elif self.implementation == "gathered":
            heads = blocks.attend_gathered(q, pool, per_row, visible, scale, window)
        else:
            heads = blocks.attend_items(q, pool, tables, visible, where.trunk, where.members, scale, self.block, window)
        return heads[..., :width].astype(k.dtype), pool


def write(
    pool: Float[Array, "P T 2K h"],
    tables: Int[Array, "R W"],
    positions: Int[Array, " R"],
    k: Float[Array, "R K h"],
    v: Float[Array, "R K h"],
    put: Put,
) -> Float[Array, "P T 2K h"]:
    """Each row's keys and values at its position of its pages; a row at -1 writes nothing."""
    pages, size, _, width = pool.shape
    page = jnp.take_along_axis(tables, jnp.maximum(positions, 0)[:, None] // size, axis=1)[:, 0]
    page = jnp.where(positions >= 0, page, pages)  # beyond the pool: dropped
    kv = jnp.stack([k, v], axis=2).reshape(len(k), -1, k.shape[-1]).astype(pool.dtype)
    kv = jnp.pad(kv, ((0, 0), (0, 0), (0, width - k.shape[-1])))
    return put(pool, page, positions % size, kv)


def scatter(
    pool: Float[Array, "P T 2K h"], page: Int[Array, " R"], offset: Int[Array, " R"], new: Float[Array, "R 2K h"]
) -> Float[Array, "P T 2K h"]:
    """Each row's keys and values at `offset` of its page; a page beyond the pool is dropped."""
    return pool.at[page, offset].set(new, mode="drop")


def choose(mesh: AnyMesh, block: int, window: int | None = None) -> PagedAttention:
    """The fastest form that the mesh's devices have."""
    kernels: dict[str, Implementation] = {"tpu": "tpu", "gpu": "gpu", "cuda": "gpu"}
    return PagedAttention(kernels.get(platform(mesh), "blocks"), block, window)
