"""Families of items, cut into parts that read their trunk together."""

from __future__ import annotations

import numpy as np

from rstar_jax.inference.families import Shared, cut


def found(trunk, family, widths=(2, 4)):
    """Trunks, and the parts of each width that are in use."""
    trunks, members = cut(Shared(np.array([trunk]), np.array([family])), widths)
    return trunks.tolist(), [[[i for i in part if i >= 0] for part in kind if (part >= 0).any()] for kind in members]


def test_families_are_cut_as_wide_as_they_are_and_long_trunks_come_first():
    trunks, (narrow, wide) = found([64, 128, 64, 128, 64, 64, 64, 128], [1, 2, 1, 2, 1, 1, 1, 3])
    assert wide == [[0, 2, 4, 5]]
    assert narrow == [[1, 3], [6]]
    assert trunks == [64, 128, 64, 128, 64, 64, 64, 0], "an item that is alone reads its trunk by itself"


def test_items_without_a_trunk_are_in_no_family():
    assert found([0, 0, 0], [0, 0, 0]) == ([0, 0, 0], [[], []])


def test_shards_count_their_own_items():
    trunks, (members,) = cut(Shared(np.full((2, 2), 16), np.array([[5, 5], [6, 7]])), (2,))
    assert trunks.tolist() == [16, 16, 0, 0]
    assert members.tolist() == [[0, 1], [-1, -1], [-1, -1], [-1, -1]]
