"""The training loop: state, step, data order, metrics, saves. It does not know what is being learned.

One step is one compiled function that donates its state. Which rows a step sees is a pure function of (seed,
step), so the step number in the state is all there is to remember about the data, and a killed run continues
bit by bit. The metrics of a step are read after the next one was dispatched, so the device never waits for
the host.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import numpy as np
import tqdm
from etils import epath
from jax.sharding import Mesh

from rstar_jax.datasets.packed import PackedData
from rstar_jax.files import AnyPath
from rstar_jax.models.config import Head, ModelConfig
from rstar_jax.models.decoder import Params, logical_axes
from rstar_jax.models.store import is_finished, load_model, save_model
from rstar_jax.training.batches import DROPOUT_KEYS, dropout_keys, to_devices
from rstar_jax.training.checkpoints import Checkpoints
from rstar_jax.training.claim import claim, fingerprint
from rstar_jax.training.held_out import HeldOut
from rstar_jax.training.loss import LossFn
from rstar_jax.training.metrics import MetricsLog, Report
from rstar_jax.training.optimizer import TrainConfig, learning_rate, make_optimizer
from rstar_jax.training.order import Plan, batch_rows, plan
from rstar_jax.training.preemption import Preemption
from rstar_jax.training.state import TrainState, abstract_state, first_state
from rstar_jax.training.step import compile_step
from rstar_jax.trajectory.tokenizer import Tokenizer


@dataclasses.dataclass(frozen=True)
class Task:
    """What is learned: a head, a loss, and what is said about them in the model's `config.json`.

    drops: whether the loss knows dropout; its batches then bring a key for each row (`batches.dropout_keys`).
    """

    head: Head
    loss: LossFn
    settings: dict[str, Any] = dataclasses.field(default_factory=dict)
    drops: bool = False


def train(
    config: TrainConfig,
    model_config: ModelConfig,
    init: Params | None,
    dataset: PackedData,
    task: Task,
    workdir: AnyPath,
    mesh: Mesh | None = None,
    tokenizer: Tokenizer | None = None,
    held_out: PackedData | None = None,
) -> Params:
    """Train, and leave a finished model in `workdir` (`models.store.load_model` reads it).

    Idempotent: a finished run is loaded, a killed one continues at its last save. While it runs, the folder
    `checkpoints` holds the states; it is deleted at the end. `metrics.jsonl` has a line per logged step.

    Args:
      init: parameters to start from, which stay as they are; None draws fresh ones from `config.seed`.
      mesh: by default the one that is set.
      tokenizer: saved with the model.
      held_out: data to report on, in `metrics.jsonl`, after each epoch and at the end; they change no weight.

    Raises:
      InputError: there is no data, or `workdir` belongs to a run with other settings or data.
      FloatingPointError: the loss is no longer finite.
      SystemExit: with code 0, after SIGTERM and a save.
    """
    workdir, mesh = epath.Path(workdir), mesh or jax.sharding.get_mesh()
    steps = plan(config, dataset, mesh)
    objective = {"head": task.head, **task.settings}
    claim(workdir, fingerprint(config, model_config, dataset, steps, objective))
    if is_finished(workdir):
        return load_model(workdir, mesh)[1]
    with jax.set_mesh(mesh):
        optimizer = make_optimizer(config, logical_axes(model_config, task.head))
        with Checkpoints(workdir / "checkpoints") as saves, Preemption(config.save_on_sigterm) as preemption:
            abstract = abstract_state(model_config, task.head, optimizer, mesh)
            state = saves.restore(abstract)
            if state is None:
                state = first_state(model_config, task.head, optimizer, abstract, init, config.seed)
            step = compile_step(task.loss, optimizer, abstract)
            at_once = steps.rows_per_step // config.microbatches
            judge = None if held_out is None else HeldOut(held_out, task.loss, at_once, mesh)
            run = _Run(config, steps, dataset, step, mesh, task.drops, judge)
            state = run.to_the_end(state, saves, preemption, workdir)
        save_model(workdir, model_config, task.head, state.params, tokenizer, **task.settings)
        if jax.process_index() == 0:
            (workdir / "checkpoints").rmtree()
    return state.params


@dataclasses.dataclass
class _Run:
    """One training run in progress."""

    config: TrainConfig
    plan: Plan
    dataset: PackedData
    step: Any
    mesh: Mesh
    drops: bool
    held_out: HeldOut | None

    def to_the_end(
        self, state: TrainState, saves: Checkpoints, preemption: Preemption, workdir: epath.Path
    ) -> TrainState:
        start, config = int(state.step), self.config
        report = Report(config, self.plan, MetricsLog(workdir / "metrics.jsonl", start))
        bar = tqdm.tqdm(initial=start, total=self.plan.n_steps, desc=workdir.name, disable=None)
        for done in range(start + 1, self.plan.n_steps + 1):
            rows = self._rows(done - 1)
            rate = learning_rate(config, self.plan.n_steps, done - 1)
            state, metrics = self.step(state, to_devices(rows, config.microbatches, self.mesh), rate)
            report.add(done, int(np.count_nonzero(rows["segments"])), rate, metrics)
            bar.update()
            if self.held_out is not None and self.plan.ends_epoch(done):  # before a save, which is the next start
                report.flush()
                report.held_out(done, self.held_out(state.params))
            stop = preemption.reached(done)
            if stop or (done % config.checkpoint_every == 0 and done < self.plan.n_steps):
                report.flush()  # never save what is not finite
                saves.save(done, state)
            if stop:
                raise SystemExit(0)
        report.flush()
        bar.close()
        return state

    def _rows(self, step: int) -> dict[str, np.ndarray]:
        """The rows of a step; absent ones are zeros, that is, padding."""
        indices = batch_rows(self.config, self.plan, self.dataset.n_rows, step)
        rows = self.dataset.rows(indices)
        return rows | {DROPOUT_KEYS: dropout_keys(self.config.seed, step, len(indices))} if self.drops else rows
