"""Attention by blocks against the textbook form, and bits that must not depend on how rows are grouped."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rstar_jax.inference import blocks
from rstar_jax.inference.attention import scatter, write

SCALE = 0.25


def made(rows: int, tables: int, group: int = 2, width: int = 16, size: int = 8, columns: int = 12, seed: int = 0):
    """Queries, a pool of random content and block tables."""
    rng = np.random.default_rng(seed)
    q = jnp.asarray(rng.standard_normal((rows, 2, group, width)), jnp.float32)
    pool = jnp.asarray(rng.standard_normal((40, size, 4, width)), jnp.float32)
    return q, pool, jnp.asarray(rng.integers(0, 40, (tables, columns)), jnp.int32), rng


WINDOWS = pytest.mark.parametrize("window", [None, 1, 20, 33])


@WINDOWS
@pytest.mark.parametrize("block", [8, 32])
def test_chunks_equal_the_textbook(block, window):
    q, pool, tables, _ = made(24, 3)
    visible = jnp.asarray([*range(40, 48), *range(1, 9), 90, 91, 0, 0, 0, 0, 0, 0], jnp.int32)
    found = blocks.attend_items(q, pool, tables, visible, jnp.zeros(3, jnp.int32), (), SCALE, block, window)
    expected = blocks.attend_gathered(q, pool, jnp.repeat(tables, 8, axis=0), visible, SCALE, window)
    seen = np.asarray(visible) > 0
    np.testing.assert_allclose(found[seen], expected[seen], atol=2e-6)
    assert np.isfinite(found).all()


def family_case():
    """Rows 0-4 share four pages, rows 5 and 6 two, row 7 is alone, row 8 idle."""
    q, pool, tables, _ = made(12, 12)
    tables = tables.at[1:5, :4].set(tables[0, :4]).at[6, :2].set(tables[5, :2])
    visible = jnp.asarray([35, 40, 60, 33, 34, 20, 90, 70, 0, 0, 0, 0], jnp.int32)
    return q, pool, tables, visible, jnp.asarray([32] * 5 + [16] * 2 + [0] * 5, jnp.int32)


def grouped(*kinds: list[list[int]], rows: int = 12):
    """Items of each width, which is that of the longest."""
    members = [np.full((rows, max(map(len, items))), -1, np.int32) for items in kinds]
    for made_, items in zip(members, kinds, strict=True):
        for index, item in enumerate(items):
            made_[index, : len(item)] = item
    return tuple(map(jnp.asarray, members))


ONE_WAY = ([[0, 1, 2, 3], [5, 6]], [[4, -1], [7, -1]])


def test_a_window_is_the_same_as_forgetting_what_is_before_it():
    q, pool, tables, _ = made(3, 3)
    visible = jnp.asarray([40, 17, 90])
    kv = pool[tables].reshape(3, 96, 2, 2, 16)
    for row, count in enumerate(visible.tolist()):
        keys, values = (kv[row, max(0, count - 20) : count, :, which] for which in (0, 1))
        weights = jax.nn.softmax(jnp.einsum("KGh,TKh->KGT", q[row], keys) * SCALE, axis=-1)
        expected = jnp.einsum("KGT,TKh->KGh", weights, values)
        found = blocks.attend_gathered(q, pool, tables, visible, SCALE, 20)[row]
        np.testing.assert_allclose(found, expected, atol=2e-6)


@WINDOWS
@pytest.mark.parametrize(
    "items",
    [
        ONE_WAY,
        ([[0, 1], [2, 3], [4], [6, 5], [7]],),
        ([[1, 4, 2], [0]], [[7, -1], [5, -1], [6, -1], [3, -1]]),
        ([[7, -1]], [[0, 1, 2, 3, 4], [5, 6]]),
    ],
)
def test_siblings_equal_the_textbook_however_they_are_grouped(items, window):
    q, pool, tables, visible, trunk = family_case()
    expected = blocks.attend_gathered(q, pool, tables, visible, SCALE, window)
    found = blocks.attend_items(q, pool, tables, visible, trunk, grouped(*items), SCALE, 16, window)
    np.testing.assert_allclose(found[:8], expected[:8], atol=2e-6)
    assert np.isfinite(found).all()


@pytest.mark.parametrize("window", [None, 20])
def test_neither_groups_nor_neighbours_nor_the_width_of_tables_change_a_bit(window):
    q, pool, tables, visible, trunk = family_case()

    @jax.jit
    def attend(q, tables, visible, trunk, members):
        return blocks.attend_items(q, pool, tables, visible, trunk, members, SCALE, 16, window)

    reference = attend(q, tables, visible, trunk, grouped(*ONE_WAY))
    alone = attend(q, tables, visible, jnp.zeros_like(trunk), grouped([[i, -1] for i in range(8)]))
    np.testing.assert_array_equal(alone[:8], reference[:8])
    for row in range(8):
        only = jnp.where(jnp.arange(12) == row, visible, 0)
        found = attend(q, tables, only, trunk, grouped([[row, -1, -1, -1]]))
        np.testing.assert_array_equal(found[row], reference[row])
    wider = jnp.pad(tables, ((0, 0), (0, 6)), constant_values=3)
    found = attend(q, wider, visible, trunk, grouped(*ONE_WAY))
    np.testing.assert_array_equal(found[:8], reference[:8])


@pytest.mark.parametrize("window", [None, 20])
@pytest.mark.parametrize("group", [1, 3])
def test_a_row_of_a_chunk_is_what_it_is_when_decoded(group, window):
    """So it does not matter whether keys were computed with a prompt or token by token."""
    q, pool, tables, _ = made(8, 1, group)
    visible = jnp.arange(50, 58)
    none = jnp.zeros(1, jnp.int32)
    chunk = jax.jit(lambda: blocks.attend_items(q, pool, tables, visible, none, (), SCALE, 16, window))()
    per_row, trunk = jnp.repeat(tables, 8, axis=0), jnp.full(8, 48)
    rows = jax.jit(
        lambda: blocks.attend_items(
            q, pool, per_row, visible, trunk, grouped([[0, 1, 2, 3], [4, 5, 6, 7]], rows=8), SCALE, 16, window
        )
    )()
    np.testing.assert_array_equal(chunk, rows)


@pytest.mark.parametrize("window", [None, 20])
@pytest.mark.parametrize("members", [[[0, 1, 2]], [[0, 2], [1, -1]], [[2, 1, 0, -1]]])
def test_items_of_several_tokens_share_a_trunk(members, window):
    """Items 0 to 2 begin with two blocks, item 3 is alone; the last rows of item 1 are padding."""
    q, pool, tables, _ = made(16, 4)
    tables = tables.at[1:3, :4].set(tables[0, :4])
    visible = jnp.asarray([*range(33, 37), 40, 41, 0, 0, *range(90, 94), *range(50, 54)], jnp.int32)
    trunk = jnp.asarray([32, 32, 32, 0], jnp.int32)
    attend = jax.jit(
        lambda trunk, members: blocks.attend_items(q, pool, tables, visible, trunk, members, SCALE, 16, window)
    )
    found, alone = attend(trunk, grouped(members, rows=4)), attend(jnp.zeros_like(trunk), grouped([[-1]], rows=4))
    seen = np.asarray(visible) > 0
    np.testing.assert_allclose(found[seen], alone[seen], atol=1e-6)
    expected = blocks.attend_gathered(q, pool, jnp.repeat(tables, 4, axis=0), visible, SCALE, window)
    np.testing.assert_allclose(found[seen], expected[seen], atol=2e-6)
    assert np.isfinite(found).all()


def test_writing_puts_rows_where_they_belong_and_nothing_else():
    _, pool, tables, rng = made(4, 4)
    k, v = (jnp.asarray(rng.standard_normal((4, 2, 16)), jnp.float32) for _ in range(2))
    tables = jnp.arange(48, dtype=jnp.int32).reshape(4, 12) % 40
    new = write(pool, tables, jnp.asarray([0, 9, -1, 95]), k, v, scatter)
    for row, page, place in ((0, 0, 0), (1, 13, 1), (3, (36 + 11) % 40, 7)):
        np.testing.assert_array_equal(new[page, place, 0::2], k[row])
        np.testing.assert_array_equal(new[page, place, 1::2], v[row])
    changed = np.asarray(jnp.any(new != pool, axis=(2, 3)))
    assert changed.sum() == 3
