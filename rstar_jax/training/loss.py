"""What a loss hands to the loop: sums, so that parts of a batch can be added before anything is divided."""

from __future__ import annotations

from collections.abc import Callable

import jax

from rstar_jax.models.decoder import Params

Batch = dict[str, jax.Array]
Sums = dict[str, jax.Array]

LossFn = Callable[[Params, Batch], tuple[jax.Array, Sums]]
"""(params, batch) -> (total loss, sums). `sums["weight"]` is what the total is divided by to give the loss;
every
other entry, divided by the same, is a metric."""
