"""How weights are gathered, and what that makes of their gradients."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax.sharding import NamedSharding

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
