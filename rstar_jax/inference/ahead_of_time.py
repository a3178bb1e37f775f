"""An engine's programs compiled for TPUs that are not here: libtpu does so on any x86-64 Linux host.

It shows that a program compiles for a chip and fits its memory, and what it takes there. Nothing runs, so no speed.
"""

from __future__ import annotations

import dataclasses
import functools
import importlib.util
import math
import os
import re
import time
from collections.abc import Sequence
from typing import Any

import jax
from jax.experimental import topologies
from jax.sharding import Mesh, NamedSharding
from jax.stages import Lowered

from rstar_jax.errors import InputError
from rstar_jax.inference.attention import choose
from rstar_jax.inference.config import EngineConfig, Metrics
from rstar_jax.inference.layout import POOL, data_shards
from rstar_jax.inference.memory import count_pages, make_pools
from rstar_jax.inference.programs import Pools, Programs
from rstar_jax.inference.scheduler import Scheduler
from rstar_jax.models.config import Head, ModelConfig
from rstar_jax.models.decoder import Params, init_params, logical_axes, unstacked
from rstar_jax.models.sharding import shardings

# libtpu asks around for the machine it runs on, writes warnings and log files about the answers, and lets one process
# in at a time. None of it matters to a compiler.
_SURROUNDINGS = {
    "TPU_ACCELERATOR_TYPE": "v5litepod-4",
    "TPU_WORKER_HOSTNAMES": "localhost",
    "TPU_LOG_DIR": "disabled",
    "ALLOW_MULTIPLE_LIBTPU_LOAD": "true",
}
_COPIES = ("copy", "copy-done", "transpose")


@dataclasses.dataclass(frozen=True)
class Compiled:
    """A program compiled for chips. Sizes are bytes on each chip; outputs include what is written over arguments.

    pool_copies: instructions that copy a layer's whole pool. in_place: none does, and all pools are written over.
    """

    seconds: float
    arguments: int
    temporaries: int
    outputs: int
    aliased: int
    pool_copies: int
    in_place: bool


def topology(name: str) -> list[Any]:
    """The chips of a topology ("v5e:2x2", "v5p:2x2x1", "v6e:4x4", …) as devices to compile for.

    Raises:
      InputError: there is no libtpu, or it knows no such topology.
    """
    if importlib.util.find_spec("libtpu") is None:
        raise InputError("compiling for TPUs needs libtpu (`pip install -e .[topology]`; Linux on x86-64)")
    for variable, value in _SURROUNDINGS.items():
        os.environ.setdefault(variable, value)
    try:
        return list(topologies.get_topology_desc(platform="tpu", topology_name=name).devices)
    except jax.errors.JaxRuntimeError as error:
        raise InputError(f"libtpu does not know the topology {name!r}: {error}") from error


def lower(
    config: ModelConfig, head: Head, engine_config: EngineConfig, mesh: Mesh, stop_ids: Sequence[int] = ()
) -> dict[str, Lowered]:
    """The programs of an engine by name; `engine_config.pages` must be set."""
    sizes, pages = engine_config, count_pages(config, engine_config, mesh)
    programs = Programs(config, head, choose(mesh, sizes.block, config.window), sizes.decode_steps, tuple(stop_ids))
    scheduler = Scheduler(sizes, data_shards(mesh), pages, stop_ids, Metrics(), values=head == "value")
    copies, lowered = scheduler.empty_copies(), {}
    chunks: Any  # of NumPy's arrays, of which jit takes shapes only
    batch: Any
    with jax.set_mesh(mesh):
        params, pools = abstract_params(config, head, mesh), abstract_pools(config, sizes, mesh)
        lowered["copy"] = programs.copy.lower(pools, copies.sources, copies.targets)
        for rows in sizes.tokens:
            chunks = scheduler.empty_extend(rows)
            lowered[f"extend {rows}"] = programs.extend.lower(params, pools, chunks.tokens, chunks.where)
        for rows in sizes.rows if head == "lm" else ():
            batch = scheduler.empty_decode(rows)
            lowered[f"decode {rows}"] = programs.decode.lower(params, pools, batch.slots, batch.where)
    return lowered


def abstract_params(config: ModelConfig, head: Head, mesh: Mesh) -> Params:
    """Shapes and layouts of the parameters as an engine holds them. The mesh must be set."""
    params = jax.eval_shape(lambda: init_params(config, jax.random.key(0), head))
    places = shardings(logical_axes(config, head), mesh)
    params = jax.tree.map(lambda x, s: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=s), params, places)
    return jax.eval_shape(functools.partial(unstacked, config), params)


def abstract_pools(config: ModelConfig, engine_config: EngineConfig, mesh: Mesh) -> Pools:
    """Shapes and layouts of an engine's pools. The mesh must be set."""
    return jax.eval_shape(lambda: make_pools(config, engine_config, count_pages(config, engine_config, mesh), mesh))


def pool_on_chip(config: ModelConfig, engine_config: EngineConfig, mesh: Mesh) -> tuple[tuple[int, ...], int]:
    """A layer's pool on each chip: its shape [P, T, 2K, h], and its bytes."""
    with jax.set_mesh(mesh):
        pool = abstract_pools(config, engine_config, mesh)[0]
    shape = NamedSharding(mesh, POOL).shard_shape(pool.shape)
    return shape, math.prod(shape) * pool.dtype.itemsize


def compile_(lowered: Lowered, pool: tuple[int, ...], pool_bytes: int) -> Compiled:
    """Compile a program. pool: the shape of a layer's pool on each chip; pool_bytes: of all layers.

    Raises:
      InputError: it does not fit the chip's memory.
    """
    start = time.perf_counter()
    try:
        compiled = lowered.compile()
    except jax.errors.JaxRuntimeError as error:
        if "RESOURCE_EXHAUSTED" not in str(error):
            raise
        raise InputError(f"the program does not fit the chip: {str(error).splitlines()[0]}") from error
    seconds, memory = time.perf_counter() - start, compiled.memory_analysis()
    assert memory is not None
    copies, aliased = count_copies(compiled.as_text() or "", pool), memory.alias_size_in_bytes
    return Compiled(
        seconds=seconds,
        arguments=memory.argument_size_in_bytes,
        temporaries=memory.temp_size_in_bytes,
        outputs=memory.output_size_in_bytes,
        aliased=aliased,
        pool_copies=copies,
        in_place=not copies and aliased >= pool_bytes,
    )


def count_copies(hlo: str, shape: tuple[int, ...]) -> int:
    """Instructions of an optimised program that make another array of this shape, or bring one to a chip's VMEM."""
    made = re.findall(rf"= \w+\[{','.join(map(str, shape))}\](\S*) ([\w-]+)\(", hlo)
    return sum(operation in _COPIES or "S(1)" in layout for layout, operation in made)
