"""How the engine's arrays lie on the mesh.

Every data-parallel shard has its own pages and its own rows, and its block tables count its own pages only, so no key
ever leaves its shard. Heads are split over "tensor". Additional shape letters: R rows (tokens of a dispatch), P pages,
T tokens of a page, W pages of a block table.
"""

from __future__ import annotations

import math
from typing import Any

import jax
from jax.sharding import PartitionSpec as P

from rstar_jax.models.sharding import RULES, AnyMesh

Anywhere = Any
"""For annotations: NumPy's array on the host, JAX's array on the device."""

POOL = P(RULES.batch, None, RULES.kv_heads, None)  # [P, T, 2K, h]: a head's keys, then its values
QUERIES = P(RULES.batch, RULES.kv_heads, None, None)  # [R, K, G, h]
NEW = P(RULES.batch, RULES.kv_heads, None)  # keys or values of the rows, [R, K, h]


def over_batch(tree: Any) -> Any:
    """Arrays whose first axis is a row, laid out as rows are; all other axes whole."""
    return jax.tree.map(lambda x: jax.sharding.reshard(x, rows_spec(x)), tree)


def rows_spec(x: jax.Array) -> P:
    return P(RULES.batch, *(None,) * (x.ndim - 1))


def data_shards(mesh: AnyMesh) -> int:
    """Shards that have rows and pages of their own."""
    axes = (RULES.batch,) if isinstance(RULES.batch, str) else tuple(RULES.batch or ())
    return math.prod(mesh.shape[axis] for axis in axes)
