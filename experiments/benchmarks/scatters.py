"""What libtpu makes of a reduce-scatter that a program asks for by name: which slices and axes have one at all.

    python experiments/benchmarks/scatters.py [--quick] [--json FILE]

Nothing runs: `jax.lax.psum_scatter` over all chips of a slice is compiled for it, and the collectives of the optimised
program are read. An all-reduce and a slice in its place takes twice the bytes. Training asks for the same thing by the
layout of its gradients (`models.sharding.gather`).

Hardware: Linux on x86-64 with libtpu (`pip install -e .[topology]`), no TPU.
"""

from __future__ import annotations

import os

os.environ |= {"JAX_PLATFORMS": "cpu", "TPU_SKIP_MDS_QUERY": "1"}  # before JAX is imported

import dataclasses
import pathlib

import jax
import jax.numpy as jnp
import tyro
from jax.sharding import NamedSharding
from jax.sharding import PartitionSpec as P

from rstar_jax.ahead_of_time.chips import parse_slice
from rstar_jax.ahead_of_time.compiling import compile_lowered
from rstar_jax.ahead_of_time.hlo import collectives
from rstar_jax.ahead_of_time.topology import topology
from rstar_jax.errors import run_main
from rstar_jax.files import write_json
from rstar_jax.models.sharding import make_mesh

SLICES = ("v5p:2x2x1", "v5e:2x2", "v6e:2x2", "v5p:2x2x2", "v5p:4x4x1", "v5e:4x4", "v5p:4x4x4", "v6e:16x16")
QUICK = ("v5p:2x2x1", "v5p:4x4x1")
ROWS, COLUMNS = 8192, 8192  # 32 rows or columns for each of 256 chips


@dataclasses.dataclass(frozen=True)
class Options:
    """Command-line options."""

    quick: bool = False
    json: pathlib.Path | None = None  # also write the figures to this file


def compiled(name: str, axis: int) -> str:
    """The collectives in a sum over all chips of which each keeps its part along an axis."""
    place = parse_slice(name)
    mesh = make_mesh(fsdp=place.n_chips, devices=topology(place))

    def scatter(x: jax.Array) -> jax.Array:
        return jax.lax.psum_scatter(2 * x[0], "fsdp", scatter_dimension=axis, tiled=True)

    parts = P("fsdp", None) if axis == 0 else P(None, "fsdp")
    gradients = jax.ShapeDtypeStruct(
        (place.n_chips, ROWS, COLUMNS), jnp.bfloat16, sharding=NamedSharding(mesh, P("fsdp", None, None))
    )
    with jax.set_mesh(mesh):
        program = jax.shard_map(scatter, mesh=mesh, in_specs=P("fsdp", None, None), out_specs=parts)
        found = compile_lowered(jax.jit(program).lower(gradients))
    return ", ".join(sorted({one.kind for one in collectives(found.hlo)})) or "none"


def main(options: Options) -> None:
    figures: dict[str, str] = {}
    print(f"{'slice':12}{'chips':>6}  {'first axis':36}last axis")
    for name in QUICK if options.quick else SLICES:
        first, last = (compiled(name, axis) for axis in (0, 1))
        print(f"{name:12}{parse_slice(name).n_chips:>6}  {first:36}{last}", flush=True)
        figures |= {f"{name}_first_axis": first, f"{name}_last_axis": last}
    if options.json:
        write_json(options.json, figures)


if __name__ == "__main__":
    run_main(lambda: main(tyro.cli(Options, description=__doc__)))
