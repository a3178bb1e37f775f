"""One training step: gradient of the summed loss over all microbatches, divided once, then AdamW."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import optax

from rstar_jax.models.decoder import Params
from rstar_jax.training.loss import Batch, LossFn, Sums
from rstar_jax.training.rounding import rounded, step_key
from rstar_jax.training.state import TrainState


def compile_step(
    loss: LossFn, optimizer: optax.GradientTransformation, abstract: TrainState, rounding_seed: int | None = None
) -> Any:
    """(state, batch, learning rate) -> (next state, metrics), donating the state.

    Where loss or gradient is not finite, the state stays what it was and is frozen (see `TrainState`): the host learns
    of it a step later, and the step in between must not spoil what is to be saved.

    rounding_seed: new bfloat16 weights are rounded stochastically; None rounds to the nearest.
    """

    def step(state: TrainState, batch: Batch, rate: jax.Array) -> tuple[TrainState, Sums]:
        gradient, sums = _summed_gradient(loss, state.params, batch)
        weight = jnp.maximum(sums.pop("weight"), 1e-9)
        gradient = jax.tree.map(lambda leaf: leaf / weight, gradient)
        metrics = {name: total / weight for name, total in sums.items()}
        metrics["gradient_norm"] = optax.tree.norm(gradient)
        updates, opt_state = optimizer.update(gradient, state.opt_state, state.params)
        key = None if rounding_seed is None else step_key(rounding_seed, state.step)
        moved = jax.tree.map(lambda leaf, up: leaf - rate * up, state.params, updates)
        new = TrainState(state.step + 1, rounded(moved, state.params, key), opt_state)
        return _unless_failed(state, new, metrics), metrics

    places = jax.tree.map(lambda leaf: leaf.sharding, abstract)
    return jax.jit(step, donate_argnums=0, in_shardings=(places, None, None), out_shardings=(places, None))


def _unless_failed(state: TrainState, after: TrainState, metrics: Sums) -> TrainState:
    finite = jnp.isfinite(metrics["loss"]) & jnp.isfinite(metrics["gradient_norm"])
    stays = dataclasses.replace(state, step=jnp.where(state.step < 0, state.step, ~state.step))
    return jax.tree.map(lambda new, old: jnp.where(finite & (state.step >= 0), new, old), after, stays)


def _summed_gradient(loss: LossFn, params: Params, batch: Batch) -> tuple[Params, Sums]:
    """Gradient of the total loss and all sums, over the microbatches one after the other."""

    def part(rows: Batch) -> tuple[Params, Sums]:
        (total, sums), gradient = jax.value_and_grad(loss, has_aux=True)(params, rows)
        return gradient, {"loss": total, **sums}

    first = part(jax.tree.map(lambda x: x[0], batch))
    if len(batch["tokens"]) == 1:
        return first
    rest = jax.tree.map(lambda x: x[1:], batch)
    # Sums of many bfloat16 gradients would lose the later ones.
    first = optax.tree.cast(first, jnp.float32)
    return jax.lax.scan(lambda sums, rows: (jax.tree.map(jnp.add, sums, part(rows)), None), first, rest)[0]
