"""An engine's programs lowered for a mesh, and whether they write over their pools once they are compiled."""

from __future__ import annotations

import dataclasses
import functools
import math
import re
from collections.abc import Sequence
from typing import Any

import jax
from jax.sharding import NamedSharding
from jax.stages import Lowered

from rstar_jax.ahead_of_time.compiling import Compiled
from rstar_jax.inference.attention import choose
from rstar_jax.inference.config import EngineConfig, Metrics
from rstar_jax.inference.layout import POOL, data_shards
from rstar_jax.inference.memory import count_pages, make_pools
from rstar_jax.inference.programs import Pools, Programs
from rstar_jax.inference.scheduler import Scheduler
from rstar_jax.models.config import Head, ModelConfig
from rstar_jax.models.decoder import unstacked
from rstar_jax.models.sharding import AnyMesh, platform, set_mesh
from rstar_jax.models.store import abstract_params

_COPIES = ("copy", "copy-done", "transpose")


@dataclasses.dataclass(frozen=True)
class Pool:
    """The pool of one layer on each chip, [P, T, 2K, h]."""

    shape: tuple[int, ...]
    layer_bytes: int
    n_layers: int

    @property
    def bytes(self) -> int:
        return self.layer_bytes * self.n_layers


def lower_programs(
    config: ModelConfig, head: Head, engine_config: EngineConfig, mesh: AnyMesh, stop_ids: Sequence[int] = ()
) -> dict[str, Lowered]:
    """The programs of an engine by name; `engine_config.pages` must be set."""
    sizes, pages = engine_config, count_pages(config, engine_config, mesh)
    programs = Programs(config, head, choose(mesh, sizes.block, config.window), sizes.decode_steps, tuple(stop_ids))
    scheduler = Scheduler(sizes, data_shards(mesh), pages, stop_ids, Metrics(), values=head == "value")
    copies, lowered = scheduler.empty_copies(), {}
    chunks: Any  # of NumPy's arrays, of which jit takes shapes only
    batch: Any

    def lower(program: Any, *args: Any) -> Lowered:
        return program.trace(*args).lower(lowering_platforms=(platform(mesh),))

    with set_mesh(mesh):
        params = jax.eval_shape(functools.partial(unstacked, config), abstract_params(config, head, mesh))
        pools = _pools(config, sizes, mesh)
        lowered["copy"] = lower(programs.copy, pools, copies.sources, copies.targets)
        for rows in sizes.tokens:
            chunks = scheduler.empty_extend(rows)
            lowered[f"extend {rows}"] = lower(programs.extend, params, pools, chunks.tokens, chunks.where)
        for rows in sizes.rows if head == "lm" else ():
            batch = scheduler.empty_decode(rows)
            lowered[f"decode {rows}"] = lower(programs.decode, params, pools, batch.slots, batch.where)
    return lowered


def _pools(config: ModelConfig, engine_config: EngineConfig, mesh: AnyMesh) -> Pools:
    """Shapes and places of an engine's pools. The mesh must be set."""
    return jax.eval_shape(lambda: make_pools(config, engine_config, count_pages(config, engine_config, mesh), mesh))


def pool_on_chip(config: ModelConfig, engine_config: EngineConfig, mesh: AnyMesh) -> Pool:
    with set_mesh(mesh):
        pool = _pools(config, engine_config, mesh)[0]
    shape = NamedSharding(mesh, POOL).shard_shape(pool.shape)
    return Pool(shape, math.prod(shape) * pool.dtype.itemsize, config.n_layers)


def written_in_place(compiled: Compiled, pool: Pool) -> bool:
    """Whether a program writes over all of its pools, and copies none."""
    return not count_copies(compiled.hlo, pool.shape) and compiled.aliased >= pool.bytes


def count_copies(hlo: str, shape: tuple[int, ...]) -> int:
    """Instructions of an optimised program that make another array of this shape, or bring one to a chip's VMEM."""
    made = re.findall(rf"= \w+\[{','.join(map(str, shape))}\](\S*) ([\w-]+)\(", hlo)
    return sum(operation in _COPIES or "S(1)" in layout for layout, operation in made)
