"""Sizes of pools."""

from __future__ import annotations

import dataclasses

import jax
import psutil
import pytest

from rstar_jax.inference.config import EngineConfig
from rstar_jax.inference.memory import count_pages, make_pools, page_bytes


def test_a_share_of_memory_becomes_pages(config, mesh, sizes):
    sizes = dataclasses.replace(sizes, pages=None, memory_fraction=0.001)
    pages = count_pages(config, sizes, mesh)
    bytes_ = page_bytes(config, sizes, mesh)
    assert bytes_ == 2 * 8 * 4 * 8 * 4  # layers, tokens, heads of keys and values, head dimension, float32
    assert pages == int(0.001 * psutil.virtual_memory().total // bytes_)


def test_pools_are_as_large_as_was_counted(config, mesh, sizes):
    with jax.set_mesh(mesh):
        pools = make_pools(config, sizes, 50, mesh)
    assert sum(pool.nbytes for pool in pools) == 50 * page_bytes(config, sizes, mesh)


def test_a_share_that_holds_no_context_is_refused(config, mesh, sizes):
    sizes = dataclasses.replace(sizes, pages=None, memory_fraction=1e-9)
    with pytest.raises(ValueError, match="a context of 64 tokens needs 9"):
        count_pages(config, sizes, mesh)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"pages": 3}, "do not hold a context"),
        ({"tokens": (64, 32)}, "do not ascend"),
        ({"rows": (12,)}, "no multiples of item"),
        ({"page_size": 12}, "power of two"),
        ({"item": 3, "rows": (6,), "tokens": (6,)}, "item even"),
        ({"memory_fraction": 1.5}, "between 0 and 1"),
    ],
)
def test_impossible_sizes_are_refused(change, words):
    with pytest.raises(ValueError, match=words):
        EngineConfig(**change)
