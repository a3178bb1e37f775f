"""New tokens: which rows are kept, what new ones start from, and that nothing of the padding shows."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rstar_jax.models import decoder
from rstar_jax.models.config import ModelConfig
from rstar_jax.models.vocabulary import resize

CONFIG = ModelConfig(
    vocab_size=100,
    vocab_multiple=16,
    d_model=32,
    n_layers=1,
    n_heads=4,
    n_kv_heads=2,
    head_dim=8,
    d_ff=64,
    tie_embeddings=False,
)


@pytest.fixture
def params():
    return decoder.init_params(CONFIG, jax.random.key(0))


@pytest.mark.parametrize("size", [95, 100, 111, 112, 113, 140])
def test_known_rows_stay_and_the_table_has_the_size_of_its_config(params, size):
    config, new = resize(CONFIG, params, size, known=90)
    assert config == dataclasses.replace(CONFIG, vocab_size=size)
    assert new["outer"]["embed"].shape == (config.rows, 32)
    assert new["outer"]["lm_head"].shape == (32, config.rows)
    kept = min(size, 100)  # the released way keeps spare rows too
    np.testing.assert_array_equal(new["outer"]["embed"][:kept], params["outer"]["embed"][:kept])
    np.testing.assert_array_equal(new["outer"]["lm_head"][:, :kept], params["outer"]["lm_head"][:, :kept])
    np.testing.assert_array_equal(new["outer"]["embed"][size:], 0)
    assert new["blocks"] is params["blocks"]


def test_rows_beyond_the_published_table_are_small_normal_numbers(params):
    _, new = resize(CONFIG, params, 400, known=90)
    rows = np.asarray(new["outer"]["embed"][100:400])
    assert rows.std() == pytest.approx(0.02, rel=0.1)
    assert not np.array_equal(rows[:, 0], new["outer"]["lm_head"][0, 100:400])


def test_the_mean_makes_a_new_token_as_likely_as_an_average_one(params):
    _, new = resize(CONFIG, params, 97, known=90, new_rows="mean")
    for name, axis in (("embed", 0), ("lm_head", 1)):
        rows = np.moveaxis(np.asarray(new["outer"][name]), axis, 0)
        np.testing.assert_array_equal(rows[:90], np.moveaxis(params["outer"][name], axis, 0)[:90])
        np.testing.assert_allclose(rows[90:97], np.broadcast_to(rows[:90].mean(0), (7, 32)), atol=1e-6)


def test_logits_of_known_tokens_do_not_change_and_padding_has_no_share(params):
    hidden = jax.random.normal(jax.random.key(1), (3, 32))
    config, new = resize(CONFIG, params, 95, known=90)
    before, after = decoder.logits(CONFIG, params, hidden), decoder.logits(config, new, hidden)
    np.testing.assert_allclose(after[:, :95], before[:, :95], atol=1e-6)
    exact = jax.nn.logsumexp(after[:, :95], axis=-1)
    np.testing.assert_allclose(jax.nn.logsumexp(after, axis=-1), exact, rtol=1e-6)


def test_tokens_with_a_meaning_are_never_dropped(params):
    with pytest.raises(ValueError, match="no room for the 90"):
        resize(CONFIG, params, 89, known=90)


def test_dtypes_stay(params):
    half = jax.tree.map(lambda leaf: leaf.astype(jnp.bfloat16), params)
    _, new = resize(CONFIG, half, 120, known=90, new_rows="mean")
    assert {leaf.dtype for leaf in jax.tree.leaves(new)} == {jnp.dtype("bfloat16")}
