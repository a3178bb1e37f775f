"""The training loop: state, step, data order, metrics, saves. It does not know what is being learned.

One step is one compiled function that donates its state. Which rows a step sees is a pure function of (seed,
step), so the step number in the state is all there is to remember about the data, and a killed run continues
bit by bit. The metrics of a step are read after the next one was dispatched, so the device never waits for
the host.
"""

from __future__ import annotations

import contextlib
import dataclasses
from typing import Any, NoReturn

import jax
import numpy as np
from etils import epath
from jax.sharding import Mesh

from rstar_jax.datasets.packed import PackedData
from rstar_jax.files import AnyPath
from rstar_jax.models.config import Head, ModelConfig
from rstar_jax.models.decoder import Params, logical_axes
from rstar_jax.models.store import describe_model, is_finished, load_model, save_model
from rstar_jax.training.batches import DROPOUT_KEYS, dropout_keys, to_devices
from rstar_jax.training.checkpoints import Checkpoints
from rstar_jax.training.claim import begun_with, claim, fingerprint
from rstar_jax.training.held_out import HeldOut
from rstar_jax.training.loss import LossFn
from rstar_jax.training.metrics import MetricsLog, Report
from rstar_jax.training.optimizer import TrainConfig, learning_rate, make_optimizer
from rstar_jax.training.order import Plan, batch_rows, plan
from rstar_jax.training.preemption import Preemption
from rstar_jax.training.profile import Profile
from rstar_jax.training.progress import make_progress, note
from rstar_jax.training.speed import Speed
from rstar_jax.training.state import TrainState, abstract_state, first_state, thawed
from rstar_jax.training.step import compile_step
from rstar_jax.training.tensorboard import TensorBoard
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

    Idempotent: a finished run is loaded, a killed one continues at its last save, also on another mesh. While it runs,
    the folder `checkpoints` holds the states, and is a model too: `load_model` reads the newest one's weights. It is
    deleted at the end. `metrics.jsonl` has a line per logged step (and the folder `tensorboard` its curves, where
    tensorboardX is installed). With several processes all call this, and `workdir` is one folder that all of them see.

    Args:
      init: parameters to start from, which stay as they are; None draws fresh ones from `config.seed`.
      mesh: by default the one that is set.
      tokenizer: saved with the model.
      held_out: data to report on, in `metrics.jsonl`, after each epoch and at the end; they change no weight.

    Raises:
      InputError: there is no data, or `workdir` belongs to a run with other settings or data.
      FloatingPointError: loss or gradient is not finite; it names step and rows. The state before is saved.
      SystemExit: with code 0, after SIGTERM and a save.
    """
    workdir, mesh = epath.Path(workdir), mesh or jax.sharding.get_mesh()
    steps = plan(config, dataset, mesh, begun_with(workdir))
    objective = {"head": task.head, **task.settings}
    claim(workdir, fingerprint(config, model_config, dataset, steps, objective))
    if is_finished(workdir):
        _remove(workdir / "checkpoints")
        return load_model(workdir, mesh)[1]
    describe_model(workdir / "checkpoints", model_config, task.head, tokenizer, **task.settings)
    with jax.set_mesh(mesh), Preemption(config.save_on_sigterm) as preemption:
        optimizer = make_optimizer(config, logical_axes(model_config, task.head))
        with Checkpoints(workdir / "checkpoints") as saves:
            abstract = abstract_state(model_config, task.head, optimizer, mesh)
            state = saves.restore(abstract)
            if state is None:
                state = first_state(model_config, task.head, optimizer, abstract, init, config.seed)
            step = compile_step(task.loss, optimizer, abstract, config.rounding_seed)
            at_once = steps.rows_per_step // config.microbatches
            judge = None if held_out is None else HeldOut(held_out, task.loss, at_once, mesh)
            speed = Speed(model_config, task.head, mesh)
            run = _Run(config, steps, dataset, step, mesh, task.drops, judge, speed, saves, preemption, workdir)
            state = run.to_the_end(state)
        save_model(workdir, model_config, task.head, state.params, tokenizer, **task.settings)
        _remove(workdir / "checkpoints")
        if preemption.noticed:
            raise SystemExit(0)
    return state.params


def _remove(folder: epath.Path) -> None:
    if jax.process_index() == 0 and folder.exists():
        folder.rmtree()


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
    speed: Speed
    saves: Checkpoints
    preemption: Preemption
    workdir: epath.Path

    def to_the_end(self, state: TrainState) -> TrainState:
        start, config = int(state.step), self.config
        progress = make_progress(self.workdir.name, self.plan.n_steps, start)
        log, board = MetricsLog(self.workdir / "metrics.jsonl", start), TensorBoard(self.workdir / "tensorboard", start)
        report, trace = Report(config, self.plan, (log, board), self.speed, progress), Profile(config, self.workdir)
        with contextlib.closing(progress), contextlib.closing(board), trace:
            if start and not log.has_held_out(start):
                self._judge(start, state, report)
            for done in range(start + 1, self.plan.n_steps + 1):
                indices, rows = self._rows(done - 1)
                rate = learning_rate(config, self.plan.n_steps, done - 1)
                trace.begin(done)
                with jax.profiler.StepTraceAnnotation("train", step_num=done):
                    state, metrics = self.step(state, to_devices(rows, config.microbatches, self.mesh), rate)
                trace.end(done, metrics)
                try:
                    report.add(done, indices, rows, rate, metrics)
                    self._after(done, state, report)
                except FloatingPointError:
                    self._keep_what_was_before(state, start)
                    raise
        return state

    def _after(self, done: int, state: TrainState, report: Report) -> None:
        """Saves and reports that are due after a step; nothing that is not finite is saved."""
        last = done == self.plan.n_steps
        stop = self.preemption.reached(done)
        save = stop or (done % self.config.checkpoint_every == 0 and not last)
        if save or last or self.plan.ends_epoch(done):
            report.flush()
        if not stop:  # what comes before the next save is done again from it, what comes behind is not
            self._judge(done, state, report)
        if save:
            self.saves.save(done, state)
        if stop:
            self._stop(done)

    def _judge(self, done: int, state: TrainState, report: Report) -> None:
        if self.held_out is not None and self.plan.ends_epoch(done):
            report.held_out(done, self.held_out(state.params))

    def _stop(self, done: int) -> NoReturn:
        self.saves.wait()
        seconds, grace = self.preemption.seconds_since, self.config.grace_seconds
        late = f", later than the {grace:g} s of grace_seconds" if seconds > grace else ""
        note(f"{self.workdir.name}: SIGTERM; step {done} was saved {seconds:.1f} s after it{late}")
        raise SystemExit(0)

    def _keep_what_was_before(self, state: TrainState, start: int) -> None:
        """Save what the step that failed has left as it was; but at the start of a run there is nothing to keep."""
        state = thawed(state)
        if int(state.step) > start:
            self.saves.save(int(state.step), state)

    def _rows(self, step: int) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """Numbers and rows of a step; absent ones are zeros, that is, padding."""
        indices = batch_rows(self.config, self.plan, self.dataset.n_rows, step)
        rows = self.dataset.rows(indices)
        if self.drops:
            rows |= {DROPOUT_KEYS: dropout_keys(self.config.seed, step, len(indices))}
        return indices, rows
