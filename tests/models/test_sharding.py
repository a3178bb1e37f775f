"""How weights are gathered, and what that makes of their gradients."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import pytest
from jax.sharding import NamedSharding

from rstar_jax.errors import InputError
from rstar_jax.models.sharding import RULES, TOKENS, AnyMesh, abstract_mesh, gather, make_mesh, platform, set_mesh

MESH = abstract_mesh(2, 4, 2)


def place(shape: tuple[int, ...], spec: jax.sharding.PartitionSpec, mesh: AnyMesh = MESH) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(shape, jnp.float32, sharding=NamedSharding(mesh, spec))


def test_the_gradient_of_a_matrix_is_summed_where_it_is_scattered():
    axes = ("embed", "ffw")

    def loss(weight, x):
        return jnp.sum(x @ gather(weight, axes))

    weight, x = place((16, 8), RULES.spec(axes)), place((8, 16), TOKENS)
    with set_mesh(MESH):
        program = jax.make_jaxpr(jax.grad(loss))(weight, x)
    product, last = (str(equation.outvars[0].aval) for equation in program.eqns[-2:])
    assert product == "float32[16,8@tensor]{U:(data,fsdp)}"  # each shard has its part of the sum
    assert last == "float32[16@fsdp,8@tensor]"


def test_vectors_are_whole():
    assert RULES.gathered(("kv_heads", None)) == jax.sharding.PartitionSpec("tensor", None)


def test_platforms():
    assert platform(abstract_mesh()) == "tpu"
    assert platform(make_mesh()) == jax.default_backend()
    assert platform(jax.sharding.AbstractMesh((1,), ("data",))) == jax.default_backend(), "a mesh that names no device"


@dataclasses.dataclass(frozen=True)
class Chip:
    """A chip of a torus that is not here."""

    id: int
    coords: tuple[int, int, int]
    device_kind: str = "TPU v6 lite"
    platform: str = "tpu"
    core_on_chip: int = 0
    process_index: int = 0
    slice_index: int = 0


@pytest.mark.parametrize("sizes", [(1, 256, 1), (4, 64, 1), (2, 64, 2), (8, 16, 2)])
def test_any_split_of_a_torus_has_a_mesh(sizes) -> None:
    """`jax.make_mesh` refuses those that need a part of an axis of 16 chips."""
    chips = [Chip(16 * y + x, (x, y, 0)) for y in range(16) for x in range(16)]
    mesh = make_mesh(*sizes, devices=chips)
    assert mesh.devices.shape == sizes
    assert {chip.id for chip in mesh.devices.flat} == set(range(256))
    with pytest.raises(InputError, match="several slices"):
        make_mesh(*sizes, devices=[dataclasses.replace(chip, slice_index=chip.id % 2) for chip in chips])


def test_a_mesh_of_more_devices_than_there_are_is_refused() -> None:
    assert make_mesh(1, 1, 1).size == 1
    too_many = jax.device_count() + 1
    with pytest.raises(InputError, match=f"for {too_many} devices; here are {jax.device_count()}"):
        make_mesh(1, too_many, 1)
