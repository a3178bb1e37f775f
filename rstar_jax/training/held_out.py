"""How good a model is on data that training does not see."""

from __future__ import annotations

import collections

import jax
import numpy as np
from jax.sharding import Mesh

from rstar_jax.datasets.packed import PackedData
from rstar_jax.models.decoder import Params
from rstar_jax.training.batches import to_devices
from rstar_jax.training.loss import Batch, LossFn, Sums


class HeldOut:
    """Means of a loss and its metrics over all of `data`, `rows_at_once` rows at a time."""

    def __init__(self, data: PackedData, loss: LossFn, rows_at_once: int, mesh: Mesh):
        self._data, self._rows_at_once, self._mesh = data, rows_at_once, mesh

        def sums(params: Params, batch: Batch) -> Sums:
            total, sums = loss(params, jax.tree.map(lambda rows: rows[0], batch))
            return {"loss": total, **sums}

        self._sums = jax.jit(sums)

    def __call__(self, params: Params) -> dict[str, float]:
        """`held_out_loss` and, by the same prefix, the metrics that training reports as well."""
        sums: collections.Counter[str] = collections.Counter()
        for first in range(0, self._data.n_rows, self._rows_at_once):
            rows = np.arange(first, first + self._rows_at_once)
            batch = self._data.rows(np.where(rows < self._data.n_rows, rows, -1))
            found = self._sums(params, to_devices(batch, 1, self._mesh))
            sums.update({name: float(value) for name, value in found.items()})
        weight = max(sums.pop("weight"), 1e-9)
        return {f"held_out_{name}": value / weight for name, value in sums.items()}
