"""A model that compiles in a moment, and random packed data for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import jax
import numpy as np
import pytest

from rstar_jax.datasets.packing import TokenisedSolution
from rstar_jax.datasets.pair_packing import Group
from rstar_jax.models.config import Head, ModelConfig
from rstar_jax.models.decoder import Params, init_params
from rstar_jax.models.sharding import make_mesh


@pytest.fixture(scope="session")
def model() -> ModelConfig:
    return ModelConfig(
        vocab_size=64, d_model=16, n_layers=2, n_heads=4, n_kv_heads=2, head_dim=8, d_ff=32, init_scale=0.5
    )


@pytest.fixture(scope="session")
def random_params() -> Callable[[ModelConfig, Head], Params]:
    """Parameters from numpy, which has nothing to compile."""

    def draw(config: ModelConfig, head: Head) -> Params:
        random = np.random.default_rng(0)
        shapes = jax.eval_shape(lambda: init_params(config, jax.random.key(0), head))
        return jax.tree.map(lambda leaf: random.normal(0, 0.3, leaf.shape).astype(leaf.dtype), shapes)

    return draw


@pytest.fixture(autouse=True, scope="module")
def mesh() -> Iterator[jax.sharding.Mesh]:
    mesh = make_mesh()
    with jax.set_mesh(mesh):
        yield mesh


@pytest.fixture(scope="session")
def solutions() -> list[TokenisedSolution]:
    """Thirty responses of 5 to 20 tokens behind prompts of three."""
    random = np.random.default_rng(0)
    lengths = random.integers(5, 20, 30)
    return [
        TokenisedSolution(random.integers(1, 64, 3 + n).tolist(), [False] * 3 + [True] * n) for n in lengths
    ]


@pytest.fixture(scope="session")
def groups() -> list[Group]:
    """Twelve groups: two better and two worse texts behind a trunk."""
    random = np.random.default_rng(1)

    def group() -> Group:
        trunk = random.integers(1, 64, random.integers(3, 8)).tolist()
        texts = [[*trunk, number, *random.integers(1, 64, random.integers(1, 5))] for number in range(1, 5)]
        pairs = [(better, worse, 0.25) for better in (0, 1) for worse in (2, 3)]
        return Group([[int(token) for token in text] for text in texts], pairs)

    return [group() for _ in range(12)]
