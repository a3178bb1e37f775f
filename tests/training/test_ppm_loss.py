"""The PPM loss: closed forms, and shared trunks that change nothing."""

from __future__ import annotations

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rstar_jax.datasets.packing import Packed
from rstar_jax.datasets.pair_packing import Group, pack_pairs
from rstar_jax.models import decoder
from rstar_jax.models.config import ModelConfig
from rstar_jax.training.ppm import PAPER_LOSS, RELEASED_LOSS, PpmLoss, pick, ppm_loss, ranking_loss


@pytest.fixture(scope="module")
def params(model: ModelConfig, random_params) -> decoder.Params:
    return random_params(model, "value")


def nll(margin: float) -> float:
    return math.log1p(math.exp(-margin))


def batch_of(weights: list[float]) -> dict[str, jax.Array]:
    """One row; pair k compares token 2k with token 2k+1."""
    numbers = jnp.arange(len(weights))[None]
    return {"better": 2 * numbers, "worse": 2 * numbers + 1, "pair_weights": jnp.asarray([weights])}


SCORES = jnp.asarray([[1.0, -1.0, 0.5, 0.5, -2.0, 1.0]])


def test_the_mean_over_sets_of_siblings() -> None:
    # One set of two pairs, one of one pair, with raw scores.
    total, sums = ranking_loss(SCORES, batch_of([0.5, 0.5, 1.0]), PpmLoss("raw", "mean"))
    assert total / sums["weight"] == pytest.approx((0.5 * nll(2) + 0.5 * nll(0) + nll(-3)) / 2)
    assert sums["accuracy"] / sums["weight"] == pytest.approx((0.5 * 1 + 0.5 * 0.5 + 0) / 2)
    assert sums["margin"] / sums["weight"] == pytest.approx((0.5 * 2 + 0 - 3) / 2)


def test_tanh_is_part_of_the_papers_head() -> None:
    total, sums = ranking_loss(SCORES, batch_of([1.0, 0.0, 0.0]), PAPER_LOSS)
    assert total / sums["weight"] == pytest.approx(nll(2 * math.tanh(1)))


def test_released_sums_over_sixteen_pairs() -> None:
    scores = jnp.tile(jnp.asarray([[1.0, -1.0]]), (1, 16))
    total, sums = ranking_loss(scores, batch_of([0.25] * 16), RELEASED_LOSS)
    assert total / sums["weight"] == pytest.approx(16 * 0.25 * nll(2))
    assert sums["accuracy"] / sums["weight"] == pytest.approx(1)


def test_pick_is_a_gather() -> None:
    scores = jax.random.normal(jax.random.key(0), (3, 7))
    at = jnp.asarray([[0, 6], [3, 3], [5, 1]])
    np.testing.assert_array_equal(pick(scores, at), jnp.take_along_axis(scores, at, axis=1))


# The lower optimization level compiles in a third of the time; the arithmetic is the same.
@functools.partial(jax.jit, static_argnums=0, compiler_options={"xla_backend_optimization_level": 0})
def mean_and_grad(model: ModelConfig, params: decoder.Params, batch: dict[str, jax.Array]):
    """Mean loss, its gradient, accuracy."""
    (total, sums), gradient = jax.value_and_grad(functools.partial(ppm_loss, model), has_aux=True)(
        params, batch
    )
    weight = sums["weight"]
    return total / weight, jax.tree.map(lambda leaf: leaf / weight, gradient), sums["accuracy"] / weight


def without_sharing(groups: list[Group]) -> Packed:
    """The plain pairwise form: each pair is two whole sequences, each a segment of its own."""
    pairs = [(group.texts[i], group.texts[j], weight) for group in groups for i, j, weight in group.pairs]
    length = max(len(better) + len(worse) for better, worse, _ in pairs)
    names = ("tokens", "positions", "segments", "branches")
    arrays = {name: np.zeros((len(pairs), length), np.int32) for name in names}
    ends = np.zeros((2, len(pairs), 1), np.int32)
    for row, (better, worse, _) in enumerate(pairs):
        middle, end = len(better), len(better) + len(worse)
        arrays["tokens"][row, :end] = better + worse
        arrays["positions"][row, :end] = [*range(len(better)), *range(len(worse))]
        arrays["segments"][row, :end] = [1] * len(better) + [2] * len(worse)
        ends[:, row, 0] = middle - 1, end - 1
    weights = np.asarray([[weight] for *_, weight in pairs], np.float32)
    return Packed(arrays | {"better": ends[0], "worse": ends[1], "pair_weights": weights}, len(pairs), 0)


def test_shared_trunks_are_the_plain_pairwise_form(model, params, groups) -> None:
    packed, plain = pack_pairs(groups, 64), without_sharing(groups)
    assert packed.dropped == 0
    assert packed.arrays["segments"].astype(bool).sum() < 0.6 * plain.arrays["segments"].astype(bool).sum()
    found, wanted = (mean_and_grad(model, params, one.arrays) for one in (packed, plain))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5), found, wanted)


def test_a_fresh_head_scores_all_alike_and_still_learns(model, params, groups) -> None:
    fresh = decoder.value_params(model, params)
    loss, gradient, accuracy = mean_and_grad(model, fresh, pack_pairs(groups, 64).arrays)
    assert loss == pytest.approx(math.log(2))
    assert accuracy == 0.5
    assert jnp.abs(gradient["outer"]["value_weight"]).max() > 0
