"""How fast a run is: tokens, and model FLOPs as a share of what its devices could do at best (MFU)."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import numpy as np
from jax.sharding import Mesh

from rstar_jax.models.config import Head, ModelConfig
from rstar_jax.training.devices import peak_flops
from rstar_jax.training.flops import seen_keys, train_flops


class Speed:
    """Counts what steps do, from one look to the next."""

    def __init__(
        self, config: ModelConfig, head: Head, mesh: Mesh, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        """`clock`: seconds."""
        self._config, self._clock = config, clock
        self._head: Head = head
        peak = peak_flops(mesh.devices.flat[0])
        self._peak = None if peak is None else peak * mesh.size
        self.restart()

    def restart(self) -> None:
        """What has been counted, and its time, is nobody's speed."""
        self._steps, self._tokens, self._flops, self._since = 0, 0, 0.0, self._clock()

    def add(self, rows: Mapping[str, np.ndarray]) -> None:
        """A step's rows: all of them, of all processes."""
        n_tokens = int(np.count_nonzero(rows["segments"]))
        self._steps += 1
        self._tokens += n_tokens
        n_targets = int(np.count_nonzero(rows.get("loss_mask", rows["segments"])))
        n_seen = seen_keys(rows, self._config.window)
        self._flops += train_flops(self._config, self._head, n_tokens, n_seen, n_targets)

    def look(self) -> dict[str, float]:
        """Tokens (without padding) and seconds per step since the last look; MFU where the devices' peak is known."""
        if not self._steps:
            return {}
        seconds = self._clock() - self._since
        found = {"tokens_per_second": self._tokens / seconds, "step_seconds": seconds / self._steps}
        if self._peak is not None:
            found["mfu"] = self._flops / seconds / self._peak
        self.restart()
        return found
