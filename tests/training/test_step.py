"""One step: parts of a batch weigh what they hold, the state is donated, and what is not finite changes nothing."""

from __future__ import annotations

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from rstar_jax.training.batches import to_devices
from rstar_jax.training.sft import sft_loss
from rstar_jax.training.state import TrainState, abstract_state, first_state, thawed
from rstar_jax.training.step import compile_step

RATE = jnp.float32(1.0)


@pytest.fixture(scope="module")
def model(model):
    return dataclasses.replace(model, n_layers=1)


@pytest.fixture(scope="module")
def loss(model):
    return functools.partial(sft_loss, model, remat="none")


def uneven_rows() -> dict[str, np.ndarray]:
    """Four rows of 16 tokens, with 1, 2, 12 and 15 targets."""
    random = np.random.default_rng(0)
    places = np.broadcast_to(np.arange(16), (4, 16))
    wanted = places >= 16 - np.array([1, 2, 12, 15])[:, None]
    tokens = random.integers(1, 64, (4, 16), np.int32)
    return {"tokens": tokens, "positions": places, "segments": np.ones_like(places), "loss_mask": wanted}


def start(model, params, optimizer, mesh) -> tuple[TrainState, TrainState]:
    abstract = abstract_state(model, "lm", optimizer, mesh)
    return abstract, first_state(model, "lm", optimizer, abstract, params, 0)


def test_microbatches_weigh_by_their_targets(model, random_params, loss, mesh) -> None:
    """The gradient of two rows at a time is that of all four; a mean of means would be another one."""
    params, optimizer, rows = random_params(model, "lm"), optax.identity(), uneven_rows()
    step = compile_step(loss, optimizer, start(model, params, optimizer, mesh)[0])

    def gradient(microbatches: int, without: slice = slice(0, 0)) -> dict:
        wanted = rows["loss_mask"].copy()
        wanted[without] = False
        _, state = start(model, params, optimizer, mesh)
        after, _ = step(state, to_devices(rows | {"loss_mask": wanted}, microbatches, mesh), RATE)
        return jax.tree.map(lambda old, new: np.asarray(old - new), params, after.params)

    whole, parts = gradient(1), gradient(2)
    jax.tree.map(functools.partial(np.testing.assert_allclose, rtol=1e-4, atol=1e-6), parts, whole)
    of_means = jax.tree.map(lambda a, b: (a + b) / 2, gradient(1, slice(0, 2)), gradient(1, slice(2, 4)))
    far = jax.tree.map(lambda a, b: np.abs(a - b).max(), of_means, whole)
    assert max(jax.tree.leaves(far)) > 1e-2


def test_the_state_is_donated(model, random_params, loss, mesh) -> None:
    optimizer = optax.scale_by_adam()
    abstract, state = start(model, random_params(model, "lm"), optimizer, mesh)
    batch, step = to_devices(uneven_rows(), 1, mesh), compile_step(loss, optimizer, abstract)
    memory = step.lower(abstract, batch, RATE).compile().memory_analysis()
    n_bytes = sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(abstract))
    assert memory.alias_size_in_bytes >= n_bytes
    after, _ = step(state, batch, RATE)
    assert all(leaf.is_deleted() for leaf in jax.tree.leaves(state))
    assert not any(leaf.is_deleted() for leaf in jax.tree.leaves(after))


def test_what_is_not_finite_freezes_the_state(model, random_params, loss, mesh) -> None:
    """Later steps do not change it either, until it is thawed."""

    def breaks(params, batch):
        total, sums = loss(params, batch)
        return jnp.where(batch["tokens"][0, 0] == 0, jnp.nan, total), sums

    optimizer = optax.scale_by_adam()
    abstract, state = start(model, random_params(model, "lm"), optimizer, mesh)
    step, good = compile_step(breaks, optimizer, abstract), uneven_rows()
    bad = good | {"tokens": good["tokens"] * (np.arange(16) > 0)}
    good, bad = (to_devices(rows, 1, mesh) for rows in (good, bad))
    state, _ = step(state, good, RATE)
    kept = jax.device_get(state)
    state, metrics = step(state, bad, RATE)
    assert not np.isfinite(metrics["loss"])
    state, metrics = step(state, good, RATE)
    assert np.isfinite(metrics["loss"])
    assert int(state.step) < 0
    jax.tree.map(np.testing.assert_array_equal, jax.device_get(thawed(state)), kept)
    after, _ = step(thawed(state), good, RATE)
    assert int(after.step) == 2
