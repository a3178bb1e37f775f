"""A training step lowered for a mesh: the step that `training.loop` runs, on the batches that it feeds."""

from __future__ import annotations

import dataclasses
import math
from typing import Literal

import jax
from jax.stages import Lowered

from rstar_jax.datasets.packed import PAIR_LAYOUT, SFT_LAYOUT
from rstar_jax.models.config import Head, ModelConfig
from rstar_jax.models.decoder import logical_axes
from rstar_jax.models.sharding import AnyMesh, platform, set_mesh
from rstar_jax.training.batches import abstract_batch
from rstar_jax.training.optimizer import TrainConfig, make_optimizer
from rstar_jax.training.ppm import preference_loss
from rstar_jax.training.sft import policy_loss
from rstar_jax.training.state import abstract_state
from rstar_jax.training.step import compile_step

TrainingJob = Literal["sft", "ppm"]


@dataclasses.dataclass(frozen=True)
class Step:
    """A step of training. rows: of all microbatches and of the whole mesh. pairs: preference pairs of a row."""

    job: TrainingJob
    run: TrainConfig
    rows: int
    pairs: int = 64

    @property
    def head(self) -> Head:
        return "lm" if self.job == "sft" else "value"

    @property
    def tokens(self) -> int:
        return self.rows * self.run.row_length


def lower_step(model: ModelConfig, step: Step, mesh: AnyMesh) -> Lowered:
    """The compiled step's beginning; raises what tracing raises where layouts do not fit."""
    run = step.run
    layout = SFT_LAYOUT if step.job == "sft" else PAIR_LAYOUT
    loss = policy_loss(model, run) if step.job == "sft" else preference_loss(model, run)
    with set_mesh(mesh):
        optimizer = make_optimizer(run, logical_axes(model, step.head))
        state = abstract_state(model, step.head, optimizer, mesh)
        batch = abstract_batch(layout, step.rows, run.row_length, step.pairs, run.microbatches, mesh)
        traced = compile_step(loss, optimizer, state, run.rounding_seed).trace(state, batch, run.learning_rate)
        return traced.lower(lowering_platforms=(platform(mesh),))


def state_bytes(model: ModelConfig, step: Step, mesh: AnyMesh) -> int:
    """What parameters and optimizer take on each chip."""
    with set_mesh(mesh):
        optimizer = make_optimizer(step.run, logical_axes(model, step.head))
        leaves = jax.tree.leaves(abstract_state(model, step.head, optimizer, mesh))
    return sum(math.prod(leaf.sharding.shard_shape(leaf.shape)) * leaf.dtype.itemsize for leaf in leaves)
