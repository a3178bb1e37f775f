"""One draw per row: limits, filters, closed-form distributions."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rstar_jax.inference.sampler import candidate_keys, sample

LOGITS = jnp.log(jnp.array([0.4, 0.3, 0.2, 0.1]))


def draw(mesh, rows: int, temperature: float = 1.0, top_p: float = 1.0, top_k: int = 0, seed: int = 0):
    """Tokens and log-probabilities of `rows` draws from `LOGITS`."""
    with jax.set_mesh(mesh):
        keys = candidate_keys(jnp.full((rows, 2), seed, jnp.uint32), jnp.arange(rows))
        full = [jnp.full(rows, x, jnp.float32) for x in (temperature, top_p)]
        drawn = sample(jnp.tile(LOGITS, (rows, 1)), keys, *full, jnp.full(rows, top_k, jnp.int32))
    return jax.device_get(drawn)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, [0.4, 0.3, 0.2, 0.1]),
        ({"temperature": 0.5}, np.array([16, 9, 4, 1]) / 30),
        ({"temperature": 0.0}, [1, 0, 0, 0]),
        ({"top_k": 1}, [1, 0, 0, 0]),
        ({"top_k": 2}, [4 / 7, 3 / 7, 0, 0]),
        ({"top_k": 9}, [0.4, 0.3, 0.2, 0.1]),
        ({"top_p": 0.39}, [1, 0, 0, 0]),
        ({"top_p": 0.6}, [4 / 7, 3 / 7, 0, 0]),
        ({"top_p": 0.8, "top_k": 3}, [4 / 9, 3 / 9, 2 / 9, 0]),
        ({"top_p": 0.6, "temperature": 0.5}, [16 / 25, 9 / 25, 0, 0]),
    ],
)
def test_frequencies(mesh, settings, expected):
    rows = 8000
    tokens, logprobs = draw(mesh, rows, **settings)
    shares = np.bincount(tokens, minlength=4) / rows
    expected = np.asarray(expected)
    assert (shares[expected == 0] == 0).all()
    np.testing.assert_allclose(shares, expected, atol=5 * np.sqrt(0.25 / rows))
    np.testing.assert_allclose(logprobs, LOGITS[tokens], atol=1e-6)  # of the model, not of the filtered draw


def test_a_filtering_neighbour_changes_nothing(mesh):
    rows = 64
    alone = draw(mesh, rows)
    with jax.set_mesh(mesh):
        keys = candidate_keys(jnp.zeros((rows, 2), jnp.uint32), jnp.arange(rows))
        odd = jnp.arange(rows) % 2 == 1
        mixed = sample(
            jnp.tile(LOGITS, (rows, 1)),
            keys,
            jnp.ones(rows),
            jnp.where(odd, 0.5, 1.0),
            jnp.where(odd, 2, 0).astype(jnp.int32),
        )
    for one, other in zip(alone, mixed, strict=True):
        np.testing.assert_array_equal(one[::2], other[::2])


def test_every_bit_of_a_key_counts(mesh):
    with jax.set_mesh(mesh):
        data = jnp.array([[0, 0], [0, 1], [1, 0], [0, 0]], jnp.uint32)
        keys = candidate_keys(data, jnp.array([0, 0, 0, 1]))
        assert len(np.unique(jax.vmap(jax.random.uniform)(keys))) == 4
