"""Who sees whom: the mask, and the intervals that kernels have in its place."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest

from rstar_jax.models.packed_rows import PackedRows, packed_mask, reach
from tests.models.random_rows import random_rows


def by_hand(rows: PackedRows, window: int | None) -> np.ndarray:
    """One pair of tokens at a time, as the docstring has it."""
    positions, segments = map(np.asarray, rows[:2])
    branches = np.zeros_like(positions) if rows.branches is None else np.asarray(rows.branches)
    n, length = positions.shape
    mask = np.zeros((n, length, length), bool)
    for row, query, key in np.ndindex(mask.shape):
        distance = positions[row, query] - positions[row, key]
        mask[row, query, key] = (
            segments[row, query] == segments[row, key] > 0
            and 0 <= distance < (window or length)
            and branches[row, key] in (0, branches[row, query])
        )
    return mask


CASES = pytest.mark.parametrize("window", [None, 1, 7, 20, 200])
TREES = pytest.mark.parametrize("trees", [False, True], ids=["segments", "trees"])


@TREES
@CASES
def test_the_mask(trees, window):
    rows = random_rows(3, 40, trees)
    np.testing.assert_array_equal(packed_mask(rows, window), by_hand(rows, window))


@TREES
@CASES
@pytest.mark.parametrize("seed", range(5))
def test_causality_by_place_and_reach_are_the_mask(trees, window, seed):
    """All that kernels know: which place is the first that a token sees, and what branches there are."""
    rows = random_rows(4, 90, trees, seed)
    place = np.arange(90)
    back = place[:, None] - place
    mask = (back >= 0) & (back <= np.asarray(reach(rows, window))[:, :, None])
    if trees:
        branches = np.asarray(rows.branches)
        mask &= (branches[:, None, :] == 0) | (branches[:, None, :] == branches[:, :, None])
    real = np.asarray(rows.segments) > 0
    np.testing.assert_array_equal(mask[real], np.asarray(packed_mask(rows, window))[real])
    assert mask[:, place, place].all()  # padding too sees something


def test_rows_of_a_batch():
    batch = {"tokens": jnp.ones((1, 3)), "positions": jnp.zeros((1, 3)), "segments": jnp.ones((1, 3))}
    assert PackedRows.of(batch).branches is None
    assert PackedRows.of(batch | {"branches": jnp.zeros((1, 3))}).branches is not None
