"""How the engine's arrays lie on the mesh: everything has rows, and rows belong to the batch axes."""

from __future__ import annotations

from typing import Any

import jax
from jax.sharding import PartitionSpec as P

from rstar_jax.models.sharding import RULES

KEYS = P(RULES.batch, RULES.kv_heads, None, None)  # keys or values, [B, K, S, h]


def over_batch(tree: Any) -> Any:
    """Arrays whose first axis is a row, laid out as rows are; all other axes whole."""
    return jax.tree.map(lambda x: jax.sharding.reshard(x, P(RULES.batch, *(None,) * (x.ndim - 1))), tree)
