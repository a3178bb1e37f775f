"""Which rows a step sees: a pure function of the seed and the step, so there is nothing to save about it."""

from __future__ import annotations

import dataclasses

import numpy as np
from jax.sharding import Mesh

from rstar_jax.datasets.packed import PackedData
from rstar_jax.errors import InputError
from rstar_jax.training.optimizer import TrainConfig


@dataclasses.dataclass(frozen=True)
class Plan:
    """How the rows of a dataset become steps."""

    rows_per_step: int
    steps_per_epoch: int
    n_steps: int

    def ends_epoch(self, done: int) -> bool:
        """Whether an epoch, or the run, is over after `done` steps."""
        return done % self.steps_per_epoch == 0 or done == self.n_steps


def plan(config: TrainConfig, dataset: PackedData, mesh: Mesh, begun: int | None = None) -> Plan:
    """As many rows per step as hold `batch_size` examples on average, in whole numbers per device and
    microbatch.

    Args:
      begun: rows per step of the run that is continued, perhaps on another mesh. They stay, if this mesh and these
        microbatches divide them.

    Raises:
      InputError: the dataset is empty.
    """
    if not dataset.n_rows:
        raise InputError(f"no training data: {dataset.dropped} examples, all longer than a row, and no other")
    unit = mesh.shape["data"] * mesh.shape["fsdp"] * config.microbatches
    wanted = config.batch_size * dataset.n_rows / dataset.examples
    rows = begun if begun and begun % unit == 0 else max(1, round(wanted / unit)) * unit
    steps = -(-dataset.n_rows // rows)
    n_steps = steps * config.epochs
    return Plan(rows, steps, n_steps if config.max_steps is None else min(n_steps, config.max_steps))


def batch_rows(config: TrainConfig, steps: Plan, n_rows: int, step: int) -> np.ndarray:
    """Row numbers of a step; -1 fills the last step of an epoch, which has what is left."""
    epoch, index = divmod(step, steps.steps_per_epoch)
    order = np.random.default_rng((config.seed, epoch)).permutation(n_rows)
    rows = order[index * steps.rows_per_step : (index + 1) * steps.rows_per_step]
    return np.pad(rows, (0, steps.rows_per_step - len(rows)), constant_values=-1)
