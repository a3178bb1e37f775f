"""Muon: layers' matrices get orthogonal updates of a set size, everything else gets Adam's."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from rstar_jax.models.config import ModelConfig
from rstar_jax.models.decoder import init_params, logical_axes
from rstar_jax.training.muon import scale_by_muon_and_adam
from rstar_jax.training.optimizer import TrainConfig, make_optimizer

MODEL = ModelConfig(vocab_size=32, d_model=16, n_layers=2, n_heads=4, n_kv_heads=2, head_dim=4, d_ff=24)


@pytest.fixture
def first_updates():
    """Parameters, a random gradient, and what Muon makes of it at the first step."""
    params = init_params(MODEL, jax.random.key(0))
    random = np.random.default_rng(1)
    gradient = jax.tree.map(lambda leaf: jnp.asarray(random.normal(size=leaf.shape), leaf.dtype), params)
    rule = scale_by_muon_and_adam(logical_axes(MODEL), 0.9, 0.999, 1e-8)
    return params, gradient, rule.update(gradient, rule.init(params), params)[0]


@pytest.mark.parametrize(("part", "name", "rows"), [("mlp", "gate", 16), ("mlp", "down", 24), ("attention", "o", 16)])
def test_each_layers_matrix_is_nearly_orthogonal(first_updates, part: str, name: str, rows: int) -> None:
    _, _, updates = first_updates
    for layer in np.asarray(updates["blocks"][part][name]):
        matrix = layer.reshape(rows, -1)
        values = np.linalg.svd(matrix, compute_uv=False) / (0.2 * max(matrix.shape) ** 0.5)
        assert values.min() > 0.5  # five Newton-Schulz steps bring them near one
        assert values.max() < 1.5


def test_embeddings_and_norms_get_adam(first_updates) -> None:
    params, gradient, updates = first_updates
    adam = optax.scale_by_adam(0.9, 0.999, 1e-8)
    expected = adam.update(gradient, adam.init(params))[0]
    np.testing.assert_allclose(updates["outer"]["embed"], expected["outer"]["embed"], rtol=1e-6)
    np.testing.assert_allclose(updates["blocks"]["mlp_norm"], expected["blocks"]["mlp_norm"], rtol=1e-6)


def test_it_is_an_option_of_training(first_updates) -> None:
    params, gradient, updates = first_updates
    config = TrainConfig(optimizer="muon", clip_norm=1e9, weight_decay=0.0, b2=0.999)
    rule = make_optimizer(config, logical_axes(MODEL))
    found = rule.update(gradient, rule.init(params), params)[0]
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6), found, updates)
