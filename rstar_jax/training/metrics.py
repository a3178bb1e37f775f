"""`metrics.jsonl`: one line per logged step, and none twice, however often a run was killed."""

from __future__ import annotations

import dataclasses
import json
import math
import time
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import jax
import numpy as np

from rstar_jax.files import AnyPath, local_path, whole_lines, write_text
from rstar_jax.training.devices import memory_in_use
from rstar_jax.training.loss import Sums
from rstar_jax.training.optimizer import TrainConfig
from rstar_jax.training.order import Plan
from rstar_jax.training.progress import Progress
from rstar_jax.training.speed import Speed

# Entries of a line that depend on the machine and the clock; all others are the same in every run of the same kind.
MEASURED = (
    "first_step_seconds",
    "tokens_per_second",
    "step_seconds",
    "mfu",
    "device_peak_bytes",
    "process_bytes",
)


class Log(Protocol):
    """Where lines go."""

    def write(self, row: dict[str, Any]) -> None: ...


class MetricsLog:
    """Appends lines to a file; only the first of several processes writes."""

    def __init__(self, path: AnyPath, resume_at: int):
        """`resume_at`: steps done already. Lines of later steps stem from a run that was killed unsaved."""
        self._path = local_path(path)
        self._writes = jax.process_index() == 0
        kept = _lines_up_to(self._path, resume_at)
        self._held_out = {row["step"] for row in map(json.loads, kept) if "held_out_loss" in row}
        if self._writes:
            write_text(self._path, "".join(kept))

    def has_held_out(self, step: int) -> bool:
        """Whether an earlier start wrote a line about held-out data after this step."""
        return step in self._held_out

    def write(self, row: dict[str, Any]) -> None:
        """Append a row with a `step`."""
        if self._writes:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")


@dataclasses.dataclass(frozen=True)
class _Step:
    """A step that was dispatched and whose metrics have not been read."""

    step: int
    row_ids: Sequence[int]
    valid_token_share: float
    rate: float
    metrics: Sums


class Report:
    """Turns the device's metrics into lines of the logs, one step late."""

    def __init__(
        self, config: TrainConfig, steps: Plan, logs: Sequence[Log], speed: Speed, progress: Progress
    ) -> None:
        self._config, self._plan, self._logs, self._speed, self._progress = config, steps, logs, speed, progress
        self._waiting: _Step | None = None
        self._started: float | None = time.perf_counter()  # None once the first step is done

    def add(
        self, step: int, row_ids: np.ndarray, rows: Mapping[str, np.ndarray], rate: float, metrics: Sums
    ) -> None:
        """A step that was dispatched. row_ids: of the data set, -1 for none."""
        self.flush()
        share = float(np.mean(rows["segments"] > 0))
        self._waiting = _Step(step, row_ids[row_ids >= 0].tolist(), share, rate, metrics)
        self._speed.add(rows)

    def held_out(self, step: int, values: dict[str, float]) -> None:
        """A line about held-out data; the time that it took is nobody's speed."""
        self._write({"step": step, "epoch": step / self._plan.steps_per_epoch, **values})
        self._speed.restart()

    def flush(self) -> None:
        """Read the step that waits. Raises FloatingPointError if its loss or gradient is not finite."""
        if self._waiting is None:
            return
        done, self._waiting = self._waiting, None
        values = {name: float(value) for name, value in done.metrics.items()}
        for name in ("loss", "gradient_norm"):
            if not math.isfinite(values[name]):
                self._write({"step": done.step, "not_finite": name, "rows": done.row_ids})
                raise FloatingPointError(f"{name} is {values[name]} at step {done.step}, whose rows are {done.row_ids}")
        measured = self._measure_first_step()
        self._progress.advance(f"loss {values['loss']:.4f}")
        if done.step % self._config.log_every and done.step != self._plan.n_steps:
            return
        self._write(
            {
                "step": done.step,
                "epoch": done.step / self._plan.steps_per_epoch,
                **values,
                "learning_rate": done.rate,
                "valid_token_share": done.valid_token_share,
                **measured,
                **self._speed.look(),
                **memory_in_use(jax.local_devices()[0]),
            }
        )

    def _measure_first_step(self) -> dict[str, float]:
        """Its time is mostly compilation; speed is counted from its end."""
        if self._started is None:
            return {}
        seconds, self._started = time.perf_counter() - self._started, None
        self._speed.restart()
        return {"first_step_seconds": seconds}

    def _write(self, row: dict[str, Any]) -> None:
        for log in self._logs:
            log.write(row)


def _lines_up_to(path: Any, step: int) -> list[str]:
    return [line for line in whole_lines(path) if json.loads(line)["step"] <= step]
