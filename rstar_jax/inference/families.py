"""Families: items that begin alike, cut so that a dispatch reads what they share once for several of them.

An item is one row in decoding, some consecutive tokens of a sequence in prefill and scoring. How families are cut
changes no result.
"""

from __future__ import annotations

from collections.abc import Sequence
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
        used = [0] * len(widths)
        for family in _families(shared.trunk[shard], shared.family[shard]):
            trunk[shard, family] = shared.trunk[shard, family]
            for part in _parts(family, widths[-1]):
                kind = next(i for i, width in enumerate(widths) if width >= len(part))
                members[kind][shard, used[kind], : len(part)] = part
                used[kind] += 1
    return Cut(trunk.reshape(-1), tuple(kind.reshape(-1, kind.shape[-1]) for kind in members))


def _families(trunk: np.ndarray, family: np.ndarray) -> list[np.ndarray]:
    """Items by family, those with long trunks first, so that parts of like length are computed together."""
    order = np.lexsort((family, -trunk))
    order = order[trunk[order] > 0]
    ends = np.flatnonzero(np.diff(family[order]) | np.diff(trunk[order])) + 1
    return [found for found in np.split(order, ends) if len(found) > 1]


def _parts(family: np.ndarray, width: int) -> Sequence[np.ndarray]:
    return [family[start : start + width] for start in range(0, len(family), width)]
