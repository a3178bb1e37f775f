"""Scoring: siblings share a row and do not see each other."""

from __future__ import annotations

import asyncio
import random

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rstar_jax.inference.config import OverlongError, ScoringConfig
from rstar_jax.inference.scoring import ScoringEngine, pack
from rstar_jax.models.attention import packed_mask
from rstar_jax.models.decoder import hidden_states, values

SIZES = ScoringConfig(lengths=(32, 64), tokens=128, branches=4)


@pytest.fixture(scope="module")
def scorer(config, ppm_params, mesh):
    return ScoringEngine(config, ppm_params, SIZES, mesh)


def families(count: int) -> list[tuple[list[int], list[list[int]]]]:
    rng = random.Random(2)

    def some(low: int, high: int) -> list[int]:
        return [rng.randrange(64) for _ in range(rng.randint(low, high))]

    return [(some(0, 30), [some(1, 20) for _ in range(rng.randint(1, 7))]) for _ in range(count)]


async def together(scorer, asked) -> list[list[float]]:
    async with scorer:
        return await asyncio.gather(*(scorer.score(*family) for family in asked))


async def one_by_one(scorer, asked) -> list[list[float]]:
    async with scorer:
        return [await scorer.score(*family) for family in asked]


def test_siblings_equal_paths_alone(config, ppm_params, mesh, scorer):
    asked = families(6)
    answers = asyncio.run(together(scorer, asked))

    @jax.jit
    def alone(tokens, end):
        positions = jnp.arange(64)[None]
        mask = packed_mask(positions, (positions < end).astype(jnp.int32))
        hidden = hidden_states(config, ppm_params, tokens[None], positions, mask)
        return values(ppm_params, jax.lax.dynamic_index_in_dim(hidden[0], end - 1, keepdims=False))

    with jax.set_mesh(mesh):
        for (trunk, branches), scores in zip(asked, answers, strict=True):
            for branch, found in zip(branches, scores, strict=True):
                path = np.zeros(64, np.int32)
                path[: len(trunk + branch)] = trunk + branch
                assert found == pytest.approx(float(alone(path, len(trunk + branch))), abs=1e-5)


def test_neighbours_and_order_change_no_bit(scorer):
    asked = families(30)
    reference = asyncio.run(together(scorer, asked))
    order = random.Random(3).sample(range(30), 30)
    shuffled = asyncio.run(together(scorer, [asked[i] for i in order]))
    assert [shuffled[order.index(i)] for i in range(30)] == reference
    assert asyncio.run(one_by_one(scorer, asked)) == reference


def test_compiles_the_declared_programs_only(config, ppm_params, mesh, scorer):
    assert len(scorer.warm_up()) == SIZES.compiled_shapes
    before = asyncio.run(together(scorer, families(4)))
    scorer.load(jax.tree.map(lambda leaf: 2 * leaf, ppm_params))
    assert asyncio.run(together(scorer, families(4))) != before
    scorer.load(ppm_params)
    assert asyncio.run(together(scorer, families(4))) == before
    assert scorer.compilations == SIZES.compiled_shapes


def test_rows_are_cut_in_order():
    assert pack(SIZES, 10, [5, 6]) == [(32, range(0, 2))]
    assert pack(SIZES, 10, [20, 20, 20]) == [(64, range(0, 2)), (32, range(2, 3))]
    assert pack(SIZES, 10, [1] * 6) == [(32, range(0, 4)), (32, range(4, 6))]
    with pytest.raises(OverlongError, match="exceed"):
        pack(SIZES, 60, [1, 5])


def test_bad_requests(scorer):
    for family in (([1], [[]]), ([1], [[64]]), ([-1], [[1]])):
        with pytest.raises(ValueError, match=r"branch is empty|outside the vocabulary"):
            asyncio.run(together(scorer, [family]))
    assert asyncio.run(together(scorer, [([1], [])])) == [[]]
    with pytest.raises(RuntimeError, match="does not run"):
        asyncio.run(scorer.score([1], [[2]]))
