"""Metrics for TensorBoard, if `tensorboardX` is installed (`pip install rstar_jax[tensorboard]`)."""

from __future__ import annotations

import functools
import importlib
import importlib.util
from typing import Any

import jax

from rstar_jax.files import AnyPath, local_path
from rstar_jax.training.progress import note


class TensorBoard:
    """Writes each number of a line as a curve over the steps; nothing without tensorboardX, and only in one process."""

    def __init__(self, folder: AnyPath, resume_at: int):
        """`resume_at`: steps done already; what a run that was killed wrote about later ones is discarded."""
        self._writer: Any = None
        if jax.process_index() == 0 and _is_installed():
            tensorboardx = importlib.import_module("tensorboardX")
            self._writer = tensorboardx.SummaryWriter(
                str(local_path(folder)), purge_step=resume_at + 1, filename_suffix=f".{resume_at}"
            )

    def write(self, row: dict[str, Any]) -> None:
        """The numbers of a row with a `step`."""
        if self._writer is None:
            return
        for name, value in row.items():
            if name != "step" and isinstance(value, int | float):
                self._writer.add_scalar(name, value, row["step"])

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()


@functools.cache
def _is_installed() -> bool:
    found = importlib.util.find_spec("tensorboardX") is not None
    if not found:
        note("tensorboardX is not installed, so metrics go to metrics.jsonl only")
    return found
