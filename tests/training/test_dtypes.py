"""Weights, computation and moments in float32 and bfloat16: which combinations train, and what they keep."""

from __future__ import annotations

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rstar_jax.datasets.packing import pack_sft
from rstar_jax.models.decoder import logical_axes
from rstar_jax.training.batches import to_devices
from rstar_jax.training.optimizer import TrainConfig, make_optimizer
from rstar_jax.training.sft import sft_loss
from rstar_jax.training.state import TrainState, abstract_state, first_state
from rstar_jax.training.step import compile_step

CONFIG = TrainConfig(batch_size=8, row_length=48, microbatches=2, weight_decay=0.0)
WEIGHTS = {"float32": ("float32", "float32"), "mixed": ("float32", "bfloat16"), "pure": ("bfloat16", "bfloat16")}


@functools.cache
def _compiled(model, config, mesh):
    optimizer = make_optimizer(config, logical_axes(model, "lm"))
    abstract = abstract_state(model, "lm", optimizer, mesh)
    loss = functools.partial(sft_loss, model, chunk=16, remat=config.remat)
    return optimizer, abstract, compile_step(loss, optimizer, abstract, config.rounding_seed)


def steps(model, config, mesh, params, batch, rate: float, n: int = 1) -> tuple[TrainState, float]:
    """The state after n steps, and the loss of the first."""
    optimizer, abstract, step = _compiled(model, config, mesh)
    init = jax.tree.map(lambda leaf, like: jnp.asarray(leaf, like.dtype), params, abstract.params)
    state, losses = first_state(model, "lm", optimizer, abstract, init, 0), []
    for _ in range(n):
        state, metrics = step(state, batch, rate)
        losses.append(float(metrics["loss"]))
    return state, losses[0]


def in_dtypes(model, weights: str):
    param_dtype, compute_dtype = WEIGHTS[weights]
    return dataclasses.replace(model, param_dtype=param_dtype, compute_dtype=compute_dtype)


@pytest.fixture(scope="module")
def params(model, random_params):
    return random_params(model, "lm")


@pytest.fixture(scope="module")
def batch(solutions, mesh):
    return to_devices({name: x[:8] for name, x in pack_sft(solutions, 48).arrays.items()}, CONFIG.microbatches, mesh)


def changed(state: TrainState, params) -> float:
    """Share of the weights that a step has moved."""
    pairs = zip(jax.tree.leaves(state.params), jax.tree.leaves(params), strict=True)
    moved = [np.asarray(leaf != jnp.asarray(old, leaf.dtype)) for leaf, old in pairs]
    return sum(x.sum() for x in moved) / sum(x.size for x in moved)


@pytest.mark.parametrize("weights", [pytest.param("mixed", marks=pytest.mark.slow), "pure"])
def test_bfloat16_gives_nearly_the_loss_of_float32(model, mesh, params, batch, weights):
    exact = steps(model, CONFIG, mesh, params, batch, 1e-3)[1]
    assert steps(in_dtypes(model, weights), CONFIG, mesh, params, batch, 1e-3)[1] == pytest.approx(exact, rel=0.02)


@pytest.mark.parametrize("moment_dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
@pytest.mark.parametrize("weights", WEIGHTS)
def test_what_a_state_keeps(model, mesh, weights, optimizer, moment_dtype):
    """Weights as the model has them, second moments in float32, first moments as asked for."""
    model = in_dtypes(model, weights)
    config = dataclasses.replace(CONFIG, optimizer=optimizer, moment_dtype=moment_dtype)
    state = abstract_state(model, "lm", make_optimizer(config, logical_axes(model, "lm")), mesh)
    assert {str(leaf.dtype) for leaf in jax.tree.leaves(state.params)} == {WEIGHTS[weights][0]}
    found = {
        (name, str(leaf.dtype))
        for path, leaf in jax.tree_util.tree_leaves_with_path(state.opt_state)
        for name in ("mu", "nu")
        if f".{name}" in jax.tree_util.keystr(path) and leaf.ndim
    }
    assert found == {("mu", moment_dtype), ("nu", "float32")}


@pytest.mark.parametrize("weights", WEIGHTS)
def test_a_step_keeps_the_dtypes_of_its_state(model, mesh, params, batch, weights):
    model = in_dtypes(model, weights)
    before = _compiled(model, CONFIG, mesh)[1]
    after = steps(model, CONFIG, mesh, params, batch, 1e-3)[0]
    jax.tree.map(lambda a, b: (a.dtype, a.shape) == (b.dtype, b.shape) or pytest.fail(f"{a} {b}"), before, after)


@pytest.mark.slow
def test_with_the_papers_rate_pure_bfloat16_needs_stochastic_rounding(model, mesh, params, batch):
    """Rounding to the nearest loses the updates of all but the smallest weights; master weights lose none."""
    rate, pure = 7e-6, in_dtypes(model, "pure")
    master = steps(in_dtypes(model, "mixed"), CONFIG, mesh, params, batch, rate)[0]
    assert changed(master, params) > 0.9
    nearest = steps(pure, CONFIG, mesh, params, batch, rate)[0]
    assert changed(nearest, params) < 0.1

    config, n = dataclasses.replace(CONFIG, rounding="stochastic"), 20
    drawn, same = (steps(pure, config, mesh, params, batch, rate, n)[0] for _ in range(2))
    jax.tree.map(np.testing.assert_array_equal, drawn.params, same.params)
    master = steps(in_dtypes(model, "mixed"), CONFIG, mesh, params, batch, rate, n)[0]
    start = jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.bfloat16).astype(jnp.float32), params)

    def way(state: TrainState, init) -> np.ndarray:
        """How far the weights have gone, all of them in one list."""
        moved = jax.tree.map(lambda leaf, old: np.ravel(leaf.astype(jnp.float32) - old), state.params, init)
        return np.concatenate(jax.tree.leaves(moved))

    nearest = steps(pure, CONFIG, mesh, params, batch, rate, n)[0]
    wanted = way(master, params)
    found, lost = (float(way(state, start) @ wanted / (wanted @ wanted)) for state in (drawn, nearest))
    assert found == pytest.approx(1, abs=0.3)  # of the way, and besides it the noise of single weights
    assert lost < 0.5
