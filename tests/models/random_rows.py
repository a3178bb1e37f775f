"""Packed rows at random: segments or trees of any size, with padding behind them."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np

from rstar_jax.models.packed_rows import PackedRows


def random_rows(rows: int, length: int, trees: bool, seed: int = 0) -> PackedRows:
    """The first row is full, the second all padding."""
    random = np.random.default_rng(seed)
    positions, segments, branches = (np.zeros((rows, length), np.int32) for _ in range(3))
    for row in range(rows):
        end = {0: length, 1: 0}.get(row, random.integers(length // 2, length))
        place, segment = 0, 0
        while place < end:
            segment += 1
            trunk = min(random.integers(0 if trees else 1, length // 2), end - place)
            sizes = [trunk, *random.integers(1, length // 6, random.integers(1, 7) if trees else 0)]
            for branch, size in enumerate(sizes):
                size = min(size, end - place)
                where = slice(place, place + size)
                positions[row, where] = (trunk if branch else 0) + np.arange(size)
                segments[row, where], branches[row, where] = segment, branch
                place += size
    arrays = map(jnp.asarray, (positions, segments, branches))
    return PackedRows(*arrays) if trees else PackedRows(*list(arrays)[:2])
