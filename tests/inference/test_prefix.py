"""The index of cached prompts."""

from __future__ import annotations

import numpy as np

from rstar_jax.inference.prefix import PrefixIndex


def tokens(*values: int) -> np.ndarray:
    return np.array(values, np.int32)


def test_longest_prefix_in_chunks_or_whole():
    index = PrefixIndex(rows=4, chunk=2)
    row = index.claim()
    index.register(row, tokens(1, 2, 3, 4, 5))
    assert index.find(tokens(1, 2, 3, 4, 5)) == (row, 5)
    assert index.find(tokens(1, 2, 3, 4, 5, 6)) == (row, 4)
    assert index.find(tokens(1, 2, 3)) == (row, 2)
    assert index.find(tokens(2, 2, 3)) == (0, 0)
    assert index.find(tokens()) == (0, 0)


def test_least_recently_used_leaves_and_users_stay():
    index = PrefixIndex(rows=3, chunk=1)
    rows = [index.claim() for _ in range(3)]
    assert index.claim() is None
    for number, row in enumerate(rows):
        index.register(row, tokens(number))
        index.release(row)
    index.touch(rows[0])
    assert index.claim() == rows[1]
    assert index.find(tokens(1)) == (0, 0)
    index.hold(rows[2])
    assert index.claim() == rows[0]
    assert index.claim() is None
    index.release(rows[2])
    assert index.claim() == rows[2]


def test_a_prefix_outlives_its_copy():
    index = PrefixIndex(rows=2, chunk=1)
    first, second = index.claim(), index.claim()
    index.register(first, tokens(1))
    index.register(second, tokens(1, 2))
    index.release(second)
    assert index.claim() == second
    assert index.find(tokens(1, 2)) == (first, 1)
