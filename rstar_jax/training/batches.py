"""Rows on the host to a batch on the devices."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P
from jaxtyping import UInt32

from rstar_jax.datasets.packed import Layout
from rstar_jax.models.sharding import RULES, AnyMesh
from rstar_jax.training.loss import Batch

DROPOUT_KEYS = "dropout_keys"


def to_devices(rows: dict[str, np.ndarray], microbatches: int, mesh: Mesh) -> Batch:
    """Arrays [B, …] as [microbatches, B / microbatches, …], the rows of each part split over the devices."""

    def place(array: np.ndarray) -> jax.Array:
        parts = array.reshape(microbatches, -1, *array.shape[1:])
        return jax.make_array_from_callback(parts.shape, _rows_place(parts.ndim, mesh), lambda index: parts[index])

    return {name: place(array) for name, array in rows.items()}


def abstract_batch(layout: Layout, n_rows: int, length: int, n_pairs: int, microbatches: int, mesh: AnyMesh) -> Batch:
    """What `to_devices` makes of rows of a layout, as shapes, dtypes and places; `Layout.zeros` has the sizes."""

    def shape(row: np.ndarray) -> Any:
        sizes = (microbatches, n_rows // microbatches, *row.shape[1:])
        return jax.ShapeDtypeStruct(sizes, row.dtype, sharding=_rows_place(len(sizes), mesh))

    return {name: shape(row) for name, row in layout.zeros(1, length, n_pairs).items()}


def _rows_place(ndim: int, mesh: AnyMesh) -> NamedSharding:
    """Of an array [microbatches, B, …]."""
    return NamedSharding(mesh, P(None, RULES.batch, *(None,) * (ndim - 2)))


def dropout_keys(seed: int, step: int, n_rows: int) -> UInt32[np.ndarray, "B 2"]:
    """A random key for each row of a step: the same, however often the run was interrupted."""
    return np.random.default_rng((seed, step, 1)).integers(0, 1 << 32, (n_rows, 2), np.uint32)
