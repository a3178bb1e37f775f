"""Packed rows: several sequences, or trees of depth two, behind one another in a row, and who sees whom there.

A row is a run of segments, each a run of branches; what is left over at its end is padding, segment 0. Positions count
from 0 within a segment, and a branch goes on where the trunk has ended.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Int


class PackedRows(NamedTuple):
    """What the tokens of packed rows are; all that attention needs to know of them.

    Attributes:
      positions: of a token in its sequence; in a branch they go on from the trunk.
      segments: a token sees its own segment only; 0 is padding, and what it gets is undefined.
      branches: with them a segment is a tree of depth two: branch 0 is the trunk that all share, and a token of branch
        b sees the trunk and branch b, so that siblings are computed as if each stood alone behind the trunk.
    """

    positions: Int[Array, "B L"]
    segments: Int[Array, "B L"]
    branches: Int[Array, "B L"] | None = None

    @classmethod
    def of(cls, batch: Mapping[str, Array]) -> PackedRows:
        """Those of a training batch (`datasets.packing`, `datasets.pair_packing`)."""
        return cls(batch["positions"], batch["segments"], batch.get("branches"))


def packed_mask(rows: PackedRows, window: int | None = None) -> Bool[Array, "B L L"]:
    """Who (axis 1) sees whom (axis 2): no later position, and the last `window` of the others, its own included."""
    positions, segments, branches = rows
    same = (segments[:, :, None] == segments[:, None, :]) & (segments[:, :, None] > 0)
    mask = same & (positions[:, :, None] >= positions[:, None, :])
    if branches is not None:
        mask &= (branches[:, None, :] == 0) | (branches[:, :, None] == branches[:, None, :])
    if window is not None:
        mask &= positions[:, :, None] - positions[:, None, :] < window
    return mask


def reach(rows: PackedRows, window: int | None = None) -> Int[Array, "B L"]:
    """How many places back in its row the first token stands that a token sees.

    The token at place i sees the places i - reach to i, but for those of branches that are not its own: within trunk
    and own branch the order of places is that of positions, and no other segment lies between. Padding sees padding.
    """
    place = jnp.zeros_like(rows.segments) + jnp.arange(rows.segments.shape[1], dtype=jnp.int32)  # laid out as the rows
    start = _run_starts(place, rows.segments)
    if window is None:
        return place - start
    own = start if rows.branches is None else jnp.maximum(start, _run_starts(place, rows.branches))
    others = place - start - rows.positions  # tokens of other branches, between the trunk and the own branch
    first = place - (window - 1)
    in_trunk = first - others < own - others
    return place - jnp.maximum(start, jnp.where(in_trunk, first - others, first))


def _run_starts(place: Int[Array, "B L"], numbers: Int[Array, "B L"]) -> Int[Array, "B L"]:
    """Where the run of equal numbers begins that a token belongs to."""
    begins = jnp.pad(numbers[:, 1:] != numbers[:, :-1], ((0, 0), (1, 0)))
    return jax.lax.cummax(jnp.where(begins, place, 0), axis=1)
