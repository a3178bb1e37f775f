"""Stochastic rounding: neighbours only, right in the mean, and the same at every start."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rstar_jax.training.rounding import rounded, step_key, stochastic

KEY = jax.random.key(0)


@pytest.mark.parametrize("value", [1.0, -3.14159, 1e-30, 7e-6, 65504.0])
def test_a_number_becomes_one_of_its_neighbours_and_the_mean_stays(value):
    x = jnp.full(40_000, value, jnp.float32)
    found = np.asarray(stochastic(x, KEY), np.float64)
    assert len(np.unique(found)) <= 2
    width = abs(value) * 2**-7  # at least the distance of neighbours
    assert np.abs(found - value).max() <= width
    assert found.mean() == pytest.approx(value, abs=width / 50)  # ten standard deviations or more


def test_what_bfloat16_has_stays_as_it_is():
    x = jax.random.normal(KEY, (1000,)).astype(jnp.bfloat16).astype(jnp.float32)
    x = jnp.concatenate([x, jnp.array([0.0, -0.0, jnp.inf, -jnp.inf])])
    np.testing.assert_array_equal(stochastic(x, KEY).astype(jnp.float32), x)
    assert jnp.isnan(stochastic(jnp.array([jnp.nan]), KEY)).all()


def test_small_updates_arrive_in_the_mean_only_so():
    """A weight of one, moved a thousand times by an eighth of what rounding to the nearest needs."""
    update = jnp.float32(2**-12)

    def move(weights, step):
        return rounded(weights - update, weights, step_key(0, step)), None

    start = jnp.ones(400, jnp.bfloat16)
    moved = jax.lax.scan(move, start, jnp.arange(1000))[0].astype(jnp.float32)
    assert moved.mean() == pytest.approx(1 - 1000 / 4096, abs=0.01)
    assert rounded(start - update, start, None).astype(jnp.float32).tolist() == [1.0] * 400


def test_steps_and_arrays_have_noise_of_their_own_and_always_the_same():
    x = {"a": jnp.full(64, 1.001), "b": jnp.full(64, 1.001), "c": jnp.full(64, 1.001)}
    like = jax.tree.map(lambda leaf: leaf.astype(jnp.bfloat16), x) | {"c": x["c"]}
    first, again, next_ = (rounded(x, like, step_key(3, step)) for step in (0, 0, 1))
    jax.tree.map(np.testing.assert_array_equal, first, again)
    assert (first["a"] != first["b"]).any()
    assert (first["a"] != next_["a"]).any()
    assert first["c"].dtype == jnp.float32
    np.testing.assert_array_equal(first["c"], x["c"])
