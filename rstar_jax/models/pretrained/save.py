"""Parameters as a Hugging Face folder that `transformers` loads: safetensors, `config.json`, a value head."""

from __future__ import annotations

import math
import os
import pathlib
from collections.abc import Iterator, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import PartitionSpec as P
from safetensors.numpy import save_file

from rstar_jax.files import write_json
from rstar_jax.models.config import Head, ModelConfig
from rstar_jax.models.decoder import Params
from rstar_jax.models.pretrained.config import to_hugging_face
from rstar_jax.models.pretrained.files import INDEX, SINGLE
from rstar_jax.models.pretrained.names import Table, Weight, table
from rstar_jax.models.pretrained.value_head import write_value_head
from rstar_jax.progress import tracked

SHARD_BYTES = 4 << 30


def save_weights(
    folder: pathlib.Path,
    config: ModelConfig,
    head: Head,
    params: Params,
    *,
    dtype: str | None = None,
    settings: Mapping[str, Any] | None = None,
    torch_head: bool = True,
    shard_bytes: int = SHARD_BYTES,
) -> None:
    """Write `config.json` and weights (and the value head) into an existing folder. The mesh must be set.

    Files hold `shard_bytes` at most, which is what a host needs besides the parameters. On several hosts all must
    call, and the first one writes. A PPM's LM head is not written and its `config.json` says that it is tied, so that
    `transformers` builds the decoder without missing anything.

    Args:
      dtype: of the files; by default that of the parameters. settings: kept under "rstar_jax" in `config.json`.
      torch_head: whether a value head is also written as the authors' code reads it (needs torch).
    """
    wanted, stored = table(config, head), jnp.dtype(dtype or config.param_dtype)
    fields = to_hugging_face(config, stored.name)
    fields["rstar_jax"] = {"head": head, **(settings or {})}
    if head == "value":
        fields["rstar_jax"]["tie_word_embeddings"] = config.tie_embeddings
        fields["tie_word_embeddings"] = True
    sizes = {name: math.prod(wanted.tensor_shape(name)) * stored.itemsize for name in wanted.parts}
    shards = list(_shards(sizes, shard_bytes))
    writes = jax.process_index() == 0
    for number, names in enumerate(shards, start=1):
        label = f"write {number}/{len(shards)}"
        tensors = {name: _tensor(wanted, name, params, stored) for name in tracked(names, label, "tensors", len(names))}
        if writes:
            save_file(tensors, os.fspath(folder / _file(number, len(shards))), metadata={"format": "pt"})
    if not writes:
        return
    if len(shards) > 1:
        files = {name: _file(number, len(shards)) for number, names in enumerate(shards, 1) for name in names}
        write_json(folder / INDEX, {"metadata": {"total_size": sum(sizes.values())}, "weight_map": files})
    if head == "value":
        write_value_head(folder, params, torch_head)
    write_json(folder / "config.json", fields)


def _shards(sizes: Mapping[str, int], most: int) -> Iterator[list[str]]:
    """Names in order, cut where a file would become larger than `most` bytes."""
    names: list[str] = []
    total = 0
    for name, size in sizes.items():
        if names and total + size > most:
            yield names
            names, total = [], 0
        names.append(name)
        total += size
    yield names


def _file(number: int, count: int) -> str:
    return SINGLE if count == 1 else f"model-{number:05d}-of-{count:05d}.safetensors"


def _tensor(wanted: Table, name: str, params: Params, dtype: Any) -> np.ndarray:
    """A file's tensor, on this host."""
    rows = [wanted.to_file(weight, _value(params, weight, layer, wanted)) for weight, layer in wanted.parts[name]]
    return np.ascontiguousarray(np.concatenate(rows).astype(dtype))


def _value(params: Params, weight: Weight, layer: int | None, wanted: Table) -> np.ndarray:
    """One layer of a parameter, gathered from its shards, without the padding of the vocabulary."""
    outer, blocks = params["outer"], params["blocks"]
    if layer is None:
        value = _whole(weight.of(outer))
    elif isinstance(blocks, list):
        value = _whole(weight.of(blocks[layer]))
    else:
        value = _whole_layer(weight.of(blocks), layer)
    return np.asarray(value)[tuple(slice(wanted.sizes[letter]) for letter in weight.axes)]


@jax.jit
def _whole(x: jax.Array) -> jax.Array:
    return jax.sharding.reshard(x, P(*(None,) * x.ndim))


@jax.jit
def _whole_layer(x: jax.Array, layer: int) -> jax.Array:
    part = jax.lax.dynamic_index_in_dim(x, layer, keepdims=False)
    return jax.sharding.reshard(part, P(*(None,) * part.ndim))
