"""The pools of keys and values: how many pages fit, and making them."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import psutil
from jax.sharding import AbstractMesh

from rstar_jax.inference.config import EngineConfig
from rstar_jax.inference.kernels import tpu
from rstar_jax.inference.layout import POOL, data_shards
from rstar_jax.models.config import ModelConfig
from rstar_jax.models.sharding import AnyMesh, platform


def pool_width(config: ModelConfig, mesh: AnyMesh) -> int:
    """The head dimension of a pool: on TPUs filled up to the kernel's lanes."""
    width = config.head_dim
    return -(-width // tpu.LANES) * tpu.LANES if platform(mesh) == "tpu" else width


def page_bytes(config: ModelConfig, engine_config: EngineConfig, mesh: AnyMesh) -> int:
    """Bytes of a page on each device, all layers together."""
    heads = 2 * config.n_kv_heads // mesh.shape["tensor"]
    itemsize = jnp.dtype(config.compute_dtype).itemsize
    return config.n_layers * engine_config.page_size * heads * pool_width(config, mesh) * itemsize


def count_pages(config: ModelConfig, engine_config: EngineConfig, mesh: AnyMesh) -> int:
    """Pages of each shard's pool: as configured, or what the share of the device's memory holds.

    Raises ValueError if the share does not even hold one context.
    """
    if engine_config.pages is not None:
        return engine_config.pages
    budget = engine_config.memory_fraction * device_bytes(mesh)
    pages = int(budget // page_bytes(config, engine_config, mesh))
    if pages < engine_config.least_pages:
        raise ValueError(
            f"memory_fraction={engine_config.memory_fraction} gives {pages} pages of {engine_config.page_size} tokens;"
            f" a context of {engine_config.max_length} tokens needs {engine_config.least_pages}"
        )
    return pages


def device_bytes(mesh: AnyMesh) -> float:
    """Memory of one device. CPU devices share the host's."""
    if isinstance(mesh, AbstractMesh):
        raise ValueError(f"{mesh} has no device to ask for its memory; set `pages`")
    device = mesh.devices.flat[0]
    statistics = device.memory_stats()
    if statistics and "bytes_limit" in statistics:
        return statistics["bytes_limit"]
    if device.platform != "cpu":
        raise ValueError(f"{device} does not tell its memory; set `pages`")
    return psutil.virtual_memory().total / mesh.devices.size


def make_pools(config: ModelConfig, engine_config: EngineConfig, pages: int, mesh: AnyMesh) -> list[jax.Array]:
    """Empty pools, one a layer. The mesh must be set."""
    heads, width = 2 * config.n_kv_heads, pool_width(config, mesh)
    shape = (data_shards(mesh) * pages, engine_config.page_size, heads, width)
    return [jnp.zeros(shape, config.compute_dtype, out_sharding=POOL) for _ in range(config.n_layers)]
