"""Makes `data/scan.hlo`: what a CPU compiles for eight devices of a scan whose weights are gathered over fsdp.

    XLA_FLAGS=--xla_force_host_platform_device_count=8 JAX_PLATFORMS=cpu python tests/ahead_of_time/record_hlo.py

Five layers of 16 x 16 on a mesh (data=2, fsdp=4); a gradient, so there are gathers, reductions, and loops both ways.
"""

from __future__ import annotations

import pathlib

import jax
import jax.numpy as jnp
from jax.sharding import NamedSharding
from jax.sharding import PartitionSpec as P

from rstar_jax.models.sharding import make_mesh


def loss(weights: jax.Array, x: jax.Array) -> jax.Array:
    def layer(x: jax.Array, weight: jax.Array) -> tuple[jax.Array, None]:
        return jnp.tanh(x @ jax.sharding.reshard(weight, P(None, None))), None

    return jnp.sum(jax.lax.scan(jax.checkpoint(layer), x, weights)[0])


if __name__ == "__main__":
    mesh = make_mesh(2, 4, 1)
    with jax.set_mesh(mesh):
        weights = jax.ShapeDtypeStruct((5, 16, 16), jnp.float32, sharding=NamedSharding(mesh, P(None, "fsdp", None)))
        x = jax.ShapeDtypeStruct((8, 16), jnp.float32, sharding=NamedSharding(mesh, P(("data", "fsdp"), None)))
        compiled = jax.jit(jax.value_and_grad(loss)).lower(weights, x).compile()
    path = pathlib.Path(__file__).parent / "data" / "scan.hlo"
    path.parent.mkdir(exist_ok=True)
    path.write_text(compiled.as_text() or "")
