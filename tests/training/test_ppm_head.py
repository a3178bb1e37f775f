"""The released head (upstream item 60): its first values, and dropout on its input in training only."""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rstar_jax.datasets.pair_packing import pack_pairs
from rstar_jax.models import decoder
from rstar_jax.models.config import ModelConfig
from rstar_jax.training.batches import DROPOUT_KEYS, dropout_keys
from rstar_jax.training.ppm import RELEASED_HEAD, ZERO_HEAD, drop, first_params, ppm_loss

WIDE = ModelConfig(vocab_size=8, d_model=4096, n_layers=1, n_heads=1, n_kv_heads=1, head_dim=2, d_ff=2)


def test_the_released_heads_first_values() -> None:
    policy = {"outer": {"embed": jnp.zeros((8, 4096)), "final_norm": jnp.ones(4096)}, "blocks": {}}
    outer = first_params(WIDE, policy, RELEASED_HEAD, seed=0)["outer"]
    weight = np.asarray(outer["value_weight"], np.float64)
    assert weight.mean() == pytest.approx(5e-7, abs=1e-7)
    assert weight.std() == pytest.approx(1e-6, rel=0.05)
    assert outer["value_bias"] == jnp.float32(1e-6)
    assert outer["embed"] is policy["outer"]["embed"]
    other = first_params(WIDE, policy, RELEASED_HEAD, seed=1)["outer"]["value_weight"]
    assert not np.array_equal(weight, other)


def test_the_plain_head_starts_at_zero(model, random_params) -> None:
    policy = random_params(model, "lm")
    jax.tree.map(
        np.testing.assert_array_equal,
        first_params(model, policy, ZERO_HEAD, seed=0),
        decoder.value_params(model, policy),
    )


def test_dropout_keeps_the_mean_and_goes_by_the_rows_own_key() -> None:
    keys = jnp.asarray(dropout_keys(seed=0, step=4, n_rows=3))
    dropped = drop(jnp.ones((3, 50, 80)), keys, 0.1)
    values, counts = np.unique(dropped, return_counts=True)
    np.testing.assert_allclose(values, [0, 1 / 0.9], rtol=1e-6)
    assert counts[0] / dropped.size == pytest.approx(0.1, abs=0.01)
    np.testing.assert_array_equal(drop(jnp.ones((1, 50, 80)), keys[1:2], 0.1), dropped[1:2])
    assert not np.array_equal(dropped[0], dropped[1])


def test_keys_are_a_function_of_seed_and_step() -> None:
    keys = dropout_keys(0, 1, 4)
    np.testing.assert_array_equal(keys, dropout_keys(0, 1, 4))
    assert not np.array_equal(keys, dropout_keys(0, 2, 4))
    assert not np.array_equal(keys, dropout_keys(1, 1, 4))


def test_data_without_keys_are_judged_without_dropout(model, random_params, groups) -> None:
    params, batch = random_params(model, "value"), pack_pairs(groups, 64).arrays
    n_rows = len(batch["tokens"])

    @functools.partial(jax.jit, compiler_options={"xla_backend_optimization_level": 0}, static_argnames="dropout")
    def loss(batch: dict[str, jax.Array], dropout: float) -> jax.Array:
        return ppm_loss(model, params, batch, dropout=dropout)[0]

    plain, keyed = loss(batch, 0.0), batch | {DROPOUT_KEYS: dropout_keys(0, 0, n_rows)}
    assert loss(batch, 0.5) == plain
    assert loss(keyed, 0.5) != plain
