"""Families: items that begin alike, cut so that a dispatch reads what they share once for several of them.

An item is one row in decoding, some consecutive tokens of a sequence in prefill and scoring. How families are cut
changes no result.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Int


class Shared(NamedTuple):
    """What the items of some shards have in common with others of their shard.

    trunk: tokens, whole blocks. family: equal for items that begin with the same `trunk` tokens.
    """

    trunk: Int[np.ndarray, "n I"]
    family: Int[np.ndarray, "n I"]


class Cut(NamedTuple):
    """`trunk` and `members` of `attention.Items`."""

    trunk: Int[np.ndarray, " n*I"]
    members: tuple[Int[np.ndarray, "n*I S"], ...]


def cut(shared: Shared, widths: tuple[int, ...]) -> Cut:
    """Families in parts of the given widths: as wide as there are items, the rest in the narrowest that does.

    A part reads a trunk once, and costs as much as it is wide. An item that is alone reads its trunk by itself.
    """
    shards, items = shared.trunk.shape
    trunk = np.zeros_like(shared.trunk)
    members = tuple(np.full((shards, items, width), -1, np.int32) for width in widths)
    for shard in range(shards):
        found = _places(shared.trunk[shard], shared.family[shard], widths)
        trunk[shard, found.item] = shared.trunk[shard, found.item]
        for kind, into in enumerate(members):
            here = found.kind == kind
            into[shard, found.part[here], found.column[here]] = found.item[here]
    return Cut(trunk.reshape(-1), tuple(kind.reshape(-1, kind.shape[-1]) for kind in members))


class _Places(NamedTuple):
    """Where each item of some families goes: kind of its part (by width), number of the part in its kind, column."""

    item: np.ndarray
    kind: np.ndarray
    part: np.ndarray
    column: np.ndarray


def _places(trunk: np.ndarray, family: np.ndarray, widths: tuple[int, ...]) -> _Places:
    """Families with long trunks come first, so that parts of like length are computed together."""
    item = np.lexsort((family, -trunk))
    item = item[trunk[item] > 0]
    begins = np.append(True, (np.diff(family[item]) != 0) | (np.diff(trunk[item]) != 0))[: len(item)]
    starts = np.flatnonzero(begins)
    sizes = np.diff(starts, append=len(item))
    rank, size = np.arange(len(item)) - np.repeat(starts, sizes), np.repeat(sizes, sizes)
    among = size > 1
    item, rank, size = item[among], rank[among], size[among]
    column = rank % widths[-1]
    kind = np.searchsorted(widths, np.minimum(size - (rank - column), widths[-1]))
    part = np.zeros_like(item)
    for one in range(len(widths)):
        here = kind == one
        part[here] = np.cumsum(column[here] == 0) - 1
    return _Places(item, kind, part, column)
