"""Where tensors live: one mesh ("data", "fsdp", "tensor"), one table from logical to mesh axes.

Sharding is explicit (it is part of an array's type), so a wrong layout is an error while tracing and not a silent copy.
The same code runs on one CPU device: there every mesh axis has size one.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import jax
from jax.sharding import AxisType, Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

MESH_AXES = ("data", "fsdp", "tensor")
MeshAxes = str | tuple[str, ...] | None


@dataclasses.dataclass(frozen=True)
class ShardingRules:
    """Mesh axes of every logical axis. Weights rest sharded over `fsdp` and are gathered for use."""

    batch: MeshAxes = ("data", "fsdp")
    layers: MeshAxes = None
    embed: MeshAxes = "fsdp"  # D of weights at rest
    vocab: MeshAxes = "tensor"
    kv_heads: MeshAxes = "tensor"
    ffw: MeshAxes = "tensor"

    def spec(self, axes: Sequence[str | None]) -> P:
        """The partition of a tensor at rest."""
        return P(*(None if axis is None else getattr(self, axis) for axis in axes))

    def gathered(self, axes: Sequence[str | None]) -> P:
        """The partition of a weight in use: the same without `fsdp`."""
        return P(*(None if axis in (None, "embed") else getattr(self, axis) for axis in axes))


RULES = ShardingRules()
ACTIVATION = P(RULES.batch, None, None)  # [B, L, D]
TOKENS = P(RULES.batch, None)  # [T, D], T the tokens of all rows


def make_mesh(data: int = 1, fsdp: int = 1, tensor: int = 1, devices: Sequence[Any] | None = None) -> Mesh:
    """A mesh over the first data*fsdp*tensor devices, with explicit axis types."""
    devices = list(devices if devices is not None else jax.devices())[: data * fsdp * tensor]
    return jax.make_mesh((data, fsdp, tensor), MESH_AXES, axis_types=(AxisType.Explicit,) * 3, devices=devices)


def gather(weight: jax.Array, axes: Sequence[str | None]) -> jax.Array:
    """Bring a weight from its resting layout to the one that a matrix product wants (the all-gather of FSDP)."""
    return jax.sharding.reshard(weight, RULES.gathered(axes))


def shardings(axes_tree: Any, mesh: Mesh) -> Any:
    """A `NamedSharding` for each leaf of a tree of logical axes (tuples are leaves)."""
    return jax.tree.map(
        lambda axes: NamedSharding(mesh, RULES.spec(axes)), axes_tree, is_leaf=lambda x: isinstance(x, tuple)
    )
