"""Where tensors live: one mesh ("data", "fsdp", "tensor"), one table from logical to mesh axes.

Sharding is explicit (it is part of an array's type), so a wrong layout is an error while tracing and not a silent copy.
The same code runs on one CPU device: there every mesh axis has size one.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

import jax
from jax.experimental import mesh_utils
from jax.sharding import AbstractDevice, AbstractMesh, AxisType, Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from rstar_jax.errors import InputError

MESH_AXES = ("data", "fsdp", "tensor")
MeshAxes = str | tuple[str, ...] | None
AnyMesh = Mesh | AbstractMesh
"""Of devices, or of nothing but sizes and a kind of device, which is enough to lower a program."""


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
        """The partition of a weight in use: the same without `fsdp`.

        A batch is split over mesh axes that such a weight is whole on, so each shard computes a part of its gradient.
        `reduced` lets a matrix's parts be until the gradient is brought to the resting layout: there they are summed
        and scattered at once. Otherwise each would be summed, whole, where it comes up. Vectors rest whole anyway.
        """
        spec = (None if axis in (None, "embed") else getattr(self, axis) for axis in axes)
        batch = (self.batch,) if isinstance(self.batch, str) else self.batch or ()
        return P(*spec, reduced=frozenset(batch if "embed" in axes else ()))


RULES = ShardingRules()
ACTIVATION = P(RULES.batch, None, None)  # [B, L, D]
TOKENS = P(RULES.batch, None)  # [T, D], T the tokens of all rows


def make_mesh(data: int = 1, fsdp: int = 1, tensor: int = 1, devices: Sequence[Any] | None = None) -> Mesh:
    """A mesh over the first data*fsdp*tensor devices, with explicit axis types.

    As `jax.make_mesh`, but an axis may take a part of one of the torus's axes on all TPUs, not on v5e alone: there is
    no other way to split 16 x 16 chips into 4 x 64.

    Raises InputError: there are fewer devices; or some of several processes would be left out, whose process would wait
      for ever; or they are of several slices.
    """
    here, wanted = list(devices if devices is not None else jax.devices()), data * fsdp * tensor
    several = devices is None and jax.process_count() > 1
    if wanted > len(here) or (several and wanted < len(here)):
        whose = f" of {jax.process_count()} processes" if several else ""
        raise InputError(f"a mesh of {data} x {fsdp} x {tensor} is for {wanted} devices; here are {len(here)}{whose}")
    devices = here[:wanted]
    if len({getattr(device, "slice_index", None) for device in devices}) > 1:
        raise InputError("the devices of a mesh are of several slices; links between slices are not laid out for")
    placed = mesh_utils.create_device_mesh((data, fsdp, tensor), devices, allow_split_physical_axes=True)
    return Mesh(placed, MESH_AXES, axis_types=(AxisType.Explicit,) * 3)


def abstract_mesh(data: int = 1, fsdp: int = 1, tensor: int = 1, kind: str = "TPU v5p") -> AbstractMesh:
    """`make_mesh` over TPUs that need not be there. kind: as JAX calls the chip ("TPU v5 lite", "TPU v5p", …)."""
    chip = AbstractDevice(device_kind=kind, num_cores=1, platform="tpu")
    return AbstractMesh((data, fsdp, tensor), MESH_AXES, (AxisType.Explicit,) * 3, abstract_device=chip)


@contextlib.contextmanager
def set_mesh(mesh: AnyMesh) -> Iterator[None]:
    """`jax.set_mesh`, for meshes of either kind."""
    if isinstance(mesh, Mesh):
        with jax.set_mesh(mesh):
            yield
        return
    with jax.set_mesh(None), jax.sharding.use_abstract_mesh(mesh):  # of devices that are set it may be no other
        yield


def platform(mesh: AnyMesh) -> str:
    """"cpu", "gpu" or "tpu": what the mesh's devices are; where it does not say, those that jit would run on."""
    device = (mesh if isinstance(mesh, AbstractMesh) else mesh.abstract_mesh).abstract_device
    return jax.default_backend() if device is None else device.platform


def gather(weight: jax.Array, axes: Sequence[str | None]) -> jax.Array:
    """Bring a weight from its resting layout to the one that a matrix product wants (the all-gather of FSDP).

    D stands in front while it is done: where it is the last axis, libtpu sums whole gradients and then takes parts of
    them, also on the four chips on which it can do both at once (`benchmarks/scatters.py`).
    """
    split = axes.index("embed") if "embed" in axes else 0
    order = (split, *(axis for axis in range(weight.ndim) if axis != split))
    whole = jax.sharding.reshard(weight.transpose(order), RULES.gathered([axes[axis] for axis in order]))
    return whole.transpose([order.index(axis) for axis in range(weight.ndim)])


def shardings(axes_tree: Any, mesh: AnyMesh) -> Any:
    """A `NamedSharding` for each leaf of a tree of logical axes (tuples are leaves)."""
    return jax.tree.map(
        lambda axes: NamedSharding(mesh, RULES.spec(axes)), axes_tree, is_leaf=lambda x: isinstance(x, tuple)
    )
