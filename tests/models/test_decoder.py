"""The decoder: cached = uncached, packed = alone, causality, the mimetic start, the PPM's head."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import PartitionSpec as P

from rstar_jax.models import decoder
from rstar_jax.models.attention import attention
from rstar_jax.models.config import ModelConfig
from rstar_jax.models.packed_rows import PackedRows
from rstar_jax.models.sharding import RULES

QWEN2 = ModelConfig(
    vocab_size=48, d_model=32, n_layers=2, n_heads=4, n_kv_heads=2, head_dim=8, d_ff=64, init_scale=1.0
)
QWEN3 = dataclasses.replace(QWEN2, qkv_bias=False, qk_norm=True, tie_embeddings=False)
CONFIGS = pytest.mark.parametrize("config", [QWEN2, QWEN3], ids=["qwen2", "qwen3"])


def tokens_of(rows, length, seed=0):
    return placed(jax.random.randint(jax.random.key(seed), (rows, length), 0, QWEN2.vocab_size))


def positions_of(tokens):
    return placed(jnp.broadcast_to(jnp.arange(tokens.shape[1]), tokens.shape))


def placed(array):
    """Where the engine and the training loop put batches."""
    return jax.sharding.reshard(array, P(RULES.batch, None))


def full(config, params, tokens):
    rows = PackedRows(positions_of(tokens), jnp.ones_like(tokens))
    return decoder.logits(config, params, decoder.hidden_states(config, params, tokens, rows))


@CONFIGS
def test_new_tokens_against_a_cache_equal_the_whole_sequence(config):
    params, tokens = decoder.init_params(config, jax.random.key(1)), tokens_of(3, 12)
    expected = full(config, params, tokens)
    caches, flat = [None] * config.n_layers, decoder.unstacked(config, params)
    parts = []
    for start, end in ((0, 5), (5, 6), (6, 12)):
        mask = jnp.tril(jnp.ones((12, 12), bool))[start:end, :end]

        def attend(q, k, v, cache, mask=mask):
            if cache is not None:
                k, v = jnp.concatenate([cache[0], k], axis=1), jnp.concatenate([cache[1], v], axis=1)
            return attention(q, k, v, jnp.broadcast_to(mask, (3, *mask.shape))), (k, v)

        positions = positions_of(tokens)[:, start:end]
        hidden, caches = decoder.cached_hidden_states(config, flat, tokens[:, start:end], positions, caches, attend)
        parts.append(decoder.logits(config, params, hidden))
    np.testing.assert_allclose(jnp.concatenate(parts, axis=1), expected, atol=2e-5)


@CONFIGS
def test_a_token_depends_on_nothing_after_it(config):
    params, tokens = decoder.init_params(config, jax.random.key(1)), tokens_of(1, 10)
    changed = jnp.where(jnp.arange(10) == 6, (tokens + 1) % config.vocab_size, tokens)
    before, after = full(config, params, tokens), full(config, params, changed)
    np.testing.assert_array_equal(before[:, :6], after[:, :6])
    assert not np.allclose(before[:, 6], after[:, 6])


def test_segments_of_a_row_do_not_see_each_other():
    params, tokens = decoder.init_params(QWEN2, jax.random.key(1)), tokens_of(1, 10)
    segments = jnp.array([[1] * 4 + [2] * 6])
    positions = jnp.array([[0, 1, 2, 3, 0, 1, 2, 3, 4, 5]])
    hidden = decoder.hidden_states(QWEN2, params, tokens, PackedRows(positions, segments))
    packed = decoder.logits(QWEN2, params, hidden)
    np.testing.assert_allclose(packed[:, 4:], full(QWEN2, params, tokens[:, 4:]), atol=1e-5)


def test_branches_stand_alone_behind_their_trunk():
    params, tokens = decoder.init_params(QWEN2, jax.random.key(1)), tokens_of(1, 9)
    branches = jnp.array([[0, 0, 0, 1, 1, 1, 2, 2, 2]])
    positions = jnp.array([[0, 1, 2, 3, 4, 5, 3, 4, 5]])
    hidden = decoder.hidden_states(QWEN2, params, tokens, PackedRows(positions, jnp.ones_like(tokens), branches))
    packed = decoder.logits(QWEN2, params, hidden)
    for where in (slice(3, 6), slice(6, 9)):
        alone = jnp.concatenate([tokens[:, :3], tokens[:, where]], axis=1)
        np.testing.assert_allclose(packed[:, where], full(QWEN2, params, alone)[:, 3:], atol=1e-5)


def test_a_row_twice_has_twice_the_gradient_of_the_row_alone():
    """A single row's axis has length one, which JAX does not count as split unless it is told."""
    params, row = decoder.init_params(QWEN2, jax.random.key(1)), tokens_of(1, 6)

    @jax.jit
    def gradient(params, tokens):
        return jax.grad(lambda params: jnp.sum(jnp.tanh(full(QWEN2, params, tokens))))(params)

    one, two = gradient(params, row), gradient(params, jnp.concatenate([row, row]))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(2 * a, b, rtol=1e-4, atol=1e-4), one, two)


def test_the_mimetic_start_matches_and_copies():
    def alignment(config):
        heads = decoder.init_params(config, jax.random.key(0))["blocks"]["attention"]
        q, k, v, o = (np.asarray(heads[name][0]) for name in "qkvo")
        match = np.corrcoef(q[:, 0, 0].ravel(), k[:, 0].ravel())[0, 1]
        copy = np.corrcoef(o[0, 0].T.ravel(), v[:, 0].ravel())[0, 1]
        return match, copy

    assert max(map(abs, alignment(QWEN2))) < 0.2
    assert min(alignment(dataclasses.replace(QWEN2, init="mimetic"))) > 0.6


def test_the_ppm_starts_from_the_policy_with_a_head_of_zero():
    policy = decoder.init_params(QWEN2, jax.random.key(1))
    ppm = decoder.value_params(QWEN2, policy)
    axes = jax.tree.structure(decoder.logical_axes(QWEN2, "value"), is_leaf=lambda x: isinstance(x, tuple))
    assert jax.tree.structure(ppm) == axes
    assert ppm["blocks"] is policy["blocks"]
    np.testing.assert_array_equal(decoder.values(ppm, jnp.ones((2, 3, QWEN2.d_model))), np.zeros((2, 3)))


def test_a_config_that_makes_no_model_is_refused():
    with pytest.raises(ValueError, match="n_kv_heads"):
        dataclasses.replace(QWEN2, n_kv_heads=3)
    with pytest.raises(ValueError, match="head_dim"):
        dataclasses.replace(QWEN2, head_dim=7)
