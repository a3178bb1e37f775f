"""Costs against counts by hand."""

from __future__ import annotations

import dataclasses

import pytest

from rstar_jax.ahead_of_time.chips import parse_slice
from rstar_jax.ahead_of_time.hlo import Collective
from rstar_jax.ahead_of_time.roofline import (
    Mesh3,
    Work,
    communication,
    decode_work,
    estimate,
    score_work,
    step_work,
)
from rstar_jax.ahead_of_time.weights import block_elements, outer_elements, weights
from rstar_jax.models.config import ModelConfig
from rstar_jax.models.published import published
from rstar_jax.training.optimizer import TrainConfig

CUBE = parse_slice("v5p:4x4x4")
SMALL = ModelConfig(
    vocab_size=1000,
    d_model=64,
    n_layers=3,
    n_heads=4,
    n_kv_heads=2,
    head_dim=16,
    d_ff=128,
    tie_embeddings=False,
    compute_dtype="bfloat16",
)
# q and o 64 x 64, k and v 64 x 32, three matrices of 64 x 128
LAYER = 2 * 64 * 64 + 2 * 64 * 32 + 3 * 64 * 128
EMBEDDING = 1000 * 64


def test_weights():
    assert block_elements(SMALL) == 3 * LAYER
    assert block_elements(SMALL, tensor=2) == 3 * LAYER // 2
    assert outer_elements(SMALL, "lm") == 2 * EMBEDDING
    assert outer_elements(SMALL, "value") == EMBEDDING
    assert outer_elements(dataclasses.replace(SMALL, tie_embeddings=True), "lm") == EMBEDDING
    vectors = {one.name: one for one in weights(SMALL, "lm") if not one.is_matrix}
    assert vectors["outer.final_norm"].elements == 64
    assert vectors["blocks.attention.k_bias"].gathered(2) == 16


def test_every_parameter_is_some_weight():
    config = published("qwen2.5-math-7b")
    assert sum(one.elements * one.layers for one in weights(config, "lm")) == 7_615_616_512


def test_a_step_on_all_axes_does_as_much_as_on_one():
    run = TrainConfig(row_length=8, microbatches=2)
    one = step_work(SMALL, "lm", Mesh3(1, 1, 1), 4, run, CUBE)
    eight = step_work(SMALL, "lm", Mesh3(2, 2, 2), 1, run, CUBE)
    assert one.useful == pytest.approx(8 * eight.useful)
    assert one.communication == 0
    assert eight.communication > 0


def test_communication_of_fsdp():
    work = step_work(SMALL, "value", Mesh3(1, 64, 1), 1, TrainConfig(row_length=8), CUBE)
    gathered = 2 * (3 * LAYER + EMBEDDING)  # bytes of bfloat16; there are two gathers and a scatter of all of them
    assert work.communication == pytest.approx(3 * gathered * 63 / 64 / 600e9)


def test_communication_that_was_compiled():
    gather = Collective("all-gather", 1000, 2000, tuple(range(64)), 3, "")
    reduction = dataclasses.replace(gather, kind="all-reduce", times=1)
    assert communication([gather, reduction], CUBE) == pytest.approx(5 * 2000 * 63 / 64 / 600e9)


def test_engine():
    drawn = decode_work(SMALL, Mesh3(1, 1, 1), rows=16, context=100, tokens=8, seconds=0.0)
    cache = 2 * 3 * 2 * 16  # keys and values of a token
    assert drawn.hbm == 8 * 2 * (3 * LAYER + EMBEDDING + 16 * 100 * cache)
    assert drawn.useful == 8 * 16 * (2 * 3 * LAYER + 2 * EMBEDDING + 3 * 4 * 64 * 100)
    scored = score_work(SMALL, Mesh3(1, 1, 1), rows=16, context=100, item=8, seconds=0.0)
    assert scored.hbm == 2 * (3 * LAYER + 64 + 2 * 100 * cache)  # two items read their contexts
    assert scored.useful == 16 * (2 * 3 * LAYER + 2 * 64 + 3 * 4 * 64 * 100)


def test_estimate():
    found = estimate(Work(useful=459e12, done=2 * 459e12, hbm=2765e9 / 2, communication=0.5), CUBE)
    assert (found.compute, found.memory, found.communication) == pytest.approx((2.0, 0.5, 0.5))
    assert (found.best, found.worst) == pytest.approx((2.0, 3.0))
    assert (found.mfu_best, found.mfu_worst) == pytest.approx((1 / 2, 1 / 3))
