"""A tiny model on one device, shared by the tests of the engine."""

from __future__ import annotations

import jax
import pytest

from rstar_jax.inference.config import EngineConfig
from rstar_jax.inference.engine import PolicyEngine
from rstar_jax.models.config import ModelConfig
from rstar_jax.models.decoder import init_params, value_params
from rstar_jax.models.sharding import make_mesh

STOP_IDS = (1, 2)


@pytest.fixture(scope="session")
def mesh():
    return make_mesh()


@pytest.fixture(scope="session")
def config():
    return ModelConfig(
        vocab_size=64, d_model=32, n_layers=2, n_heads=4, n_kv_heads=2, head_dim=8, d_ff=48, init_scale=0.3
    )


@pytest.fixture(scope="session")
def params(config, mesh):
    with jax.set_mesh(mesh):
        return jax.jit(lambda: init_params(config, jax.random.key(0)))()


@pytest.fixture(scope="session")
def ppm_params(config, params, mesh):
    with jax.set_mesh(mesh):
        ppm = value_params(config, params)
        ppm["outer"]["value_weight"] = jax.random.normal(jax.random.key(1), (config.d_model,))
    return ppm


@pytest.fixture(scope="session")
def sizes():
    return EngineConfig(
        max_length=64, page_size=8, pages=200, tokens=(16, 32), rows=(4, 8), decode_steps=4, item=4, block=16, copies=3
    )


@pytest.fixture(scope="session")
def shared_engine(config, params, sizes, mesh):
    return PolicyEngine(config, params, sizes, STOP_IDS, mesh)


@pytest.fixture
def engine(shared_engine, params):
    """Compiled once for all tests, and empty."""
    shared_engine.load(params)
    return shared_engine
