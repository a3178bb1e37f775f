"""Scoring: only what is new is run, and a score is a function of its path alone."""

from __future__ import annotations

import asyncio
import dataclasses
import random

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rstar_jax.inference.config import OverlongError
from rstar_jax.inference.engine import PPMEngine
from rstar_jax.models.decoder import hidden_states, values
from rstar_jax.models.packed_rows import PackedRows


@pytest.fixture(scope="module")
def shared(config, ppm_params, sizes, mesh):
    return PPMEngine(config, ppm_params, sizes, mesh)


@pytest.fixture
def scorer(shared, ppm_params):
    shared.load(ppm_params)
    return shared


def families(count: int) -> list[tuple[list[int], list[list[int]]]]:
    """Siblings behind a prompt, then children of the first of them."""
    rng = random.Random(2)

    def some(low: int, high: int) -> list[int]:
        return [rng.randrange(64) for _ in range(rng.randint(low, high))]

    first = [(some(0, 30), [some(1, 16) for _ in range(rng.randint(1, 7))]) for _ in range(count)]
    return first + [(trunk + branches[0], [some(1, 16) for _ in range(3)]) for trunk, branches in first]


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
        rows = PackedRows(positions, (positions < end).astype(jnp.int32))
        hidden = hidden_states(config, ppm_params, tokens[None], rows)
        return values(ppm_params, jax.lax.dynamic_index_in_dim(hidden[0], end - 1, keepdims=False))

    with jax.set_mesh(mesh):
        for (trunk, branches), scores in zip(asked, answers, strict=True):
            for branch, found in zip(branches, scores, strict=True):
                path = np.zeros(64, np.int32)
                path[: len(trunk + branch)] = trunk + branch
                assert found == pytest.approx(float(alone(path, len(trunk + branch))), abs=1e-5)


def same(found: list[list[float]], expected: list[list[float]]) -> None:
    """But for the last bits: a matrix product may sum differently for another number of rows."""
    for mine, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-5, rtol=0)


def test_neighbours_order_and_cache_change_no_score(ppm_params, scorer):
    asked = families(20)
    reference = asyncio.run(together(scorer, asked))
    order = random.Random(3).sample(range(40), 40)
    scorer.load(ppm_params)
    shuffled = asyncio.run(together(scorer, [asked[i] for i in order]))
    same([shuffled[order.index(i)] for i in range(40)], reference)
    same(asyncio.run(one_by_one(scorer, asked)), reference)


@pytest.mark.parametrize("pages", ["least", 12])
def test_a_pool_that_runs_full_changes_no_score(config, ppm_params, sizes, mesh, scorer, pages):
    asked = families(20)
    reference = asyncio.run(together(scorer, asked))
    pages = sizes.least_pages if pages == "least" else pages
    tiny = PPMEngine(config, ppm_params, dataclasses.replace(sizes, pages=pages), mesh)
    same(asyncio.run(together(tiny, asked)), reference)
    assert tiny.metrics.recomputed > 0
    assert tiny.metrics.held == 0


def test_only_new_tokens_are_run(scorer):
    """Down a tree: of each generation just the siblings' own tokens, and one again where a path is asked for twice."""
    rng = random.Random(5)
    path = [rng.randrange(64) for _ in range(11)]

    async def run():
        async with scorer:
            await scorer.score(path[:-1], [path[-1:]])
            path_now, counts = list(path), []
            for _ in range(4):
                children = [[rng.randrange(64) for _ in range(rng.randint(3, 9))] for _ in range(4)]
                before = scorer.metrics.scored
                scores = await scorer.score(path_now, children)
                counts.append((scorer.metrics.scored - before, sum(map(len, children))))
                before = scorer.metrics.scored
                same([await scorer.score(path_now, children)], [scores])
                counts.append((scorer.metrics.scored - before, len(children)))
                path_now += children[1]
            return counts

    for run_tokens, new_tokens in asyncio.run(run()):
        assert run_tokens <= new_tokens  # less where siblings begin alike
        assert run_tokens >= new_tokens - 4


def test_compiles_the_declared_programs_only(ppm_params, sizes, scorer):
    assert len(scorer.warm_up()) == sizes.compiled_shapes("value")
    before = asyncio.run(together(scorer, families(4)))
    scorer.load(jax.tree.map(lambda leaf: 2 * leaf, ppm_params))
    assert asyncio.run(together(scorer, families(4))) != before
    scorer.load(ppm_params)
    assert asyncio.run(together(scorer, families(4))) == before
    assert scorer.compilations == sizes.compiled_shapes("value")


def test_weights_are_not_swapped_under_a_request(ppm_params, scorer):
    async def run():
        async with scorer:
            task = asyncio.create_task(scorer.score([1, 2, 3], [[4], [5, 6]]))
            refused = 0
            while not task.done():
                await asyncio.sleep(0)
                if not task.done():
                    with pytest.raises(RuntimeError, match="under way"):
                        scorer.load(ppm_params)
                    refused += 1
            return refused

    assert asyncio.run(run()) > 1


def test_bad_requests(scorer):
    for family in (([1], [[]]), ([1], [[64]]), ([-1], [[1]])):
        with pytest.raises(ValueError, match=r"branch is empty|outside the vocabulary"):
            asyncio.run(together(scorer, [family]))
    assert asyncio.run(together(scorer, [([1], [])])) == [[]]
    with pytest.raises(OverlongError, match="65 tokens"):
        asyncio.run(together(scorer, [([1] * 60, [[1], [1] * 5])]))
    with pytest.raises(RuntimeError, match="does not run"):
        asyncio.run(scorer.score([1], [[2]]))


def test_cancelled_requests_leave(scorer):
    async def run():
        async with scorer:
            tasks = [asyncio.create_task(scorer.score(*family)) for family in families(20)]
            await asyncio.sleep(0.005)
            for task in tasks[::2]:
                task.cancel()
            kept = await asyncio.gather(*tasks[1::2])
            while not scorer.scheduler.idle:
                await asyncio.sleep(0.01)
            return kept, scorer.metrics.held

    kept, held = asyncio.run(run())
    assert all(kept)
    assert held == 0
