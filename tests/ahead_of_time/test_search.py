"""Meshes and batches: what can be split is found, and what should be fast comes first."""

from __future__ import annotations

import dataclasses

import pytest

from rstar_jax.ahead_of_time import search
from rstar_jax.ahead_of_time.chips import parse_slice
from rstar_jax.ahead_of_time.roofline import Mesh3
from rstar_jax.ahead_of_time.search import meshes, rank, step_bytes
from rstar_jax.ahead_of_time.training import Step
from rstar_jax.models.config import ModelConfig
from rstar_jax.models.published import published
from rstar_jax.training.optimizer import TrainConfig

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
STEP = Step("sft", TrainConfig(row_length=16, loss_chunk=8), 1)


def real(name):
    return dataclasses.replace(published(name), vocab_multiple=128, param_dtype="float32")


def test_meshes():
    found = list(meshes(real("qwen2.5-math-7b"), 16))
    assert Mesh3(1, 16, 1) in found
    assert Mesh3(2, 2, 4) in found
    assert {mesh.tensor for mesh in found} == {1, 2, 4}  # there are 4 kv heads
    assert all(mesh.n_chips == 16 for mesh in found)
    assert len(set(found)) == len(found) == 5 + 4 + 3


def test_memory_by_hand():
    numbers, vectors = 3 * LAYER + 2 * EMBEDDING, 3 * (2 * 64 + 64 + 2 * 32) + 64
    state = 3 * 4 * (numbers / 2 + vectors) + 2 * 4  # two counters
    in_use = 2 * (2 * LAYER + 2 * 2 * EMBEDDING)
    tokens = 4 * 16
    layer = 2 * tokens * (8 * 64 + 3 * 8 * 16 + 5 * 128)
    expected = state + 4 * numbers / 2 + in_use + 3 * 2 * tokens * 64 + layer + 3 * 4 * 8 * 1000 * 4
    assert step_bytes(SMALL, STEP, Mesh3(1, 2, 1), 4) == pytest.approx(expected)


def test_large_models_need_all_chips_and_small_ones_do_not_fit_worse():
    step = Step("sft", TrainConfig(), 1)
    ranking = rank(real("qwen2.5-math-72b"), step, parse_slice("v5p-128"))
    fitting = [one for one in ranking if one.fits(parse_slice("v5p-128"))]
    assert fitting == ranking[: len(fitting)]
    assert all(one.mesh.fsdp * one.mesh.tensor >= 16 for one in fitting)  # 12 bytes a parameter, 95 GiB a chip
    few = parse_slice("v5e-16")
    assert not any(one.fits(few) for one in rank(real("qwen2.5-math-72b"), step, few))


def test_the_first_is_the_fastest_per_token():
    place = parse_slice("v5p-128")
    ranking = [one for one in rank(real("qwen2.5-math-7b"), Step("sft", TrainConfig(), 1), place) if one.fits(place)]
    per_token = [one.time.worst / (one.rows * one.mesh.shards) for one in ranking]
    assert per_token[0] == pytest.approx(min(per_token), rel=0.05)
    assert ranking[0].mesh.tensor == 1


def test_what_does_not_fit_is_tried_once_and_the_first_that_fits_ends_the_search(monkeypatch):
    tried = []

    def compiled(model, step, mesh, place):
        tried.append((mesh, step.rows))
        return {"fits": len(tried) == 2}

    monkeypatch.setattr(search, "training_cell", compiled)
    step = Step("sft", TrainConfig(), 1)
    cells = list(search.search(real("qwen2.5-math-1.5b"), step, parse_slice("v5e-16"), tries=4, until_one_fits=True))
    assert len(cells) == len(set(tried)) == 2
    tried.clear()
    assert len(list(search.search(real("qwen2.5-math-72b"), step, parse_slice("v5e-16"), tries=4))) == 1
