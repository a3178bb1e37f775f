"""`metrics.jsonl`: one line per logged step, and none twice, however often a run was killed."""

from __future__ import annotations

import json
import math
import time
from typing import Any

import jax

from rstar_jax.files import AnyPath, local_path, write_text
from rstar_jax.training.loss import Sums
from rstar_jax.training.optimizer import TrainConfig
from rstar_jax.training.order import Plan


class MetricsLog:
    """Appends lines to a file; only the first of several processes writes."""

    def __init__(self, path: AnyPath, resume_at: int):
        """`resume_at`: steps done already. Lines of later steps stem from a run that was killed unsaved."""
        self._path = local_path(path)
        self._writes = jax.process_index() == 0
        if self._writes:
            write_text(self._path, "".join(_lines_up_to(self._path, resume_at)))

    def write(self, row: dict[str, Any]) -> None:
        """Append a row with a `step`."""
        if self._writes:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")


class Report:
    """Turns the device's metrics into lines of the log, one step late."""

    def __init__(self, config: TrainConfig, steps: Plan, log: MetricsLog):
        self._config, self._plan, self._log = config, steps, log
        self._waiting: tuple[int, float, Sums] | None = None
        self._tokens, self._since = 0, time.perf_counter()

    def add(self, step: int, n_tokens: int, rate: float, metrics: Sums) -> None:
        """`n_tokens`: of the step, without padding."""
        self.flush()
        self._waiting = (step, rate, metrics)
        self._tokens += n_tokens

    def held_out(self, step: int, values: dict[str, float]) -> None:
        """A line about held-out data; the time that it took is nobody's speed."""
        self._log.write({"step": step, "epoch": step / self._plan.steps_per_epoch, **values})
        self._tokens, self._since = 0, time.perf_counter()

    def flush(self) -> None:
        """Read the step that waits. Raises FloatingPointError if its loss or gradient is not finite."""
        if self._waiting is None:
            return
        (step, rate, metrics), self._waiting = self._waiting, None
        values = {name: float(value) for name, value in metrics.items()}
        for name in ("loss", "gradient_norm"):
            if not math.isfinite(values[name]):
                raise FloatingPointError(f"{name} is {values[name]} at step {step}")
        if step % self._config.log_every and step != self._plan.n_steps:
            return
        now = time.perf_counter()
        epoch, speed = step / self._plan.steps_per_epoch, self._tokens / (now - self._since)
        row = {"step": step, "epoch": epoch, **values, "learning_rate": rate, "tokens_per_second": speed}
        self._log.write(row)
        self._tokens, self._since = 0, now


def _lines_up_to(path: Any, step: int) -> list[str]:
    if not path.exists():
        return []
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    whole = [line for line in lines if line.endswith("\n")]  # a kill may leave half a line
    return [line for line in whole if json.loads(line)["step"] <= step]
