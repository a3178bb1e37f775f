"""The state of a training run: its first value, and the shapes and places that a saved one is restored to."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any, cast

import jax
import jax.numpy as jnp
import optax
from jax.sharding import NamedSharding
from jax.sharding import PartitionSpec as P

from rstar_jax.models.config import Head, ModelConfig
from rstar_jax.models.decoder import Params, init_params
from rstar_jax.models.sharding import AnyMesh
from rstar_jax.models.store import abstract_params


@functools.partial(
    jax.tree_util.register_dataclass, data_fields=["step", "params", "opt_state"], meta_fields=[]
)
@dataclasses.dataclass(frozen=True)
class TrainState:
    """Everything that a step changes.

    step: steps done. Negative, as ~step, once a step was not finite: the state is frozen and all later steps leave it
      as it was before that one (`thawed` makes it a state to save).
    """

    step: jax.Array  # a ShapeDtypeStruct in an abstract state, as all leaves
    params: Params
    opt_state: Any


def thawed(state: TrainState) -> TrainState:
    """A frozen state as it was before the step that froze it."""
    return dataclasses.replace(state, step=jax.device_put(~state.step, state.step.sharding))


def abstract_state(
    config: ModelConfig, head: Head, optimizer: optax.GradientTransformation, mesh: AnyMesh
) -> TrainState:
    """Shapes, dtypes and places of a state: moments rest like their parameters, scalars everywhere."""
    params = abstract_params(config, head, mesh)
    step = jax.ShapeDtypeStruct((), jnp.int32)
    shapes = TrainState(cast(jax.Array, step), params, jax.eval_shape(optimizer.init, params))

    def place(leaf: jax.ShapeDtypeStruct) -> jax.ShapeDtypeStruct:
        spec = leaf.sharding.spec if leaf.sharding is not None else P()
        return jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=NamedSharding(mesh, spec))

    return jax.tree.map(place, shapes)


def first_state(
    model_config: ModelConfig,
    head: Head,
    optimizer: optax.GradientTransformation,
    abstract: TrainState,
    init: Params | None,
    seed: int,
) -> TrainState:
    """Step 0, on the devices that `abstract` names. `init` is copied: a step donates what it is given."""
    places = jax.tree.map(lambda leaf: leaf.sharding, abstract)
    if init is None:
        draw = functools.partial(init_params, model_config, head=head)
        params = jax.jit(draw, out_shardings=places.params)(jax.random.key(seed))
    else:
        params = jax.tree.map(
            lambda leaf, place: jax.device_put(leaf, place, may_alias=False), init, places.params
        )
    opt_state = jax.jit(optimizer.init, out_shardings=places.opt_state)(params)
    return TrainState(jax.device_put(jnp.zeros((), jnp.int32), places.step), params, opt_state)
