"""Floating-point operations of training, counted from the architecture.

A matrix product of m x k and k x n counts 2mkn. Norms, rotations, softmax and the embedding's lookup count nothing.
What the model needs (`train_flops`: forward once, backward twice that) is the numerator of MFU; what a device does
besides, because it keeps too little to go backward with, is in `hardware_flops` only.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np

from rstar_jax.models.config import Head, ModelConfig
from rstar_jax.models.remat import Remat

_ALL = ("projections", "attention", "mlp")
_RECOMPUTED: dict[Remat, tuple[str, ...]] = {  # of a layer, in the backward pass (`models.remat`)
    "none": (),
    "products": (),
    "attention": ("projections", "mlp"),
    "full": _ALL,
    "offload": _ALL,
}


@dataclasses.dataclass(frozen=True)
class ForwardFlops:
    """Of a forward pass over all layers.

    projections: q, k, v and o. attention: queries with keys, weights with values. head: logits or values.
    """

    projections: float
    attention: float
    mlp: float
    head: float

    @property
    def total(self) -> float:
        return self.projections + self.attention + self.mlp + self.head


def forward_flops(
    config: ModelConfig, head: Head, n_tokens: float, n_seen: float, n_targets: float | None = None
) -> ForwardFlops:
    """Of `n_tokens` tokens that see `n_seen` keys in all (`seen_keys`; `causal` for one plain text).

    n_targets: tokens that the head is for; nobody projects a prompt. By default all.
    """
    c, layer_tokens = config, config.n_layers * n_tokens
    width = c.n_heads * c.head_dim
    return ForwardFlops(
        projections=2 * layer_tokens * c.d_model * 2 * (width + c.n_kv_heads * c.head_dim),
        attention=2 * 2 * c.n_layers * n_seen * width,
        mlp=2 * layer_tokens * 3 * c.d_model * c.d_ff,
        head=2 * (n_tokens if n_targets is None else n_targets) * c.d_model * (c.vocab_size if head == "lm" else 1),
    )


def train_flops(
    config: ModelConfig, head: Head, n_tokens: float, n_seen: float, n_targets: float | None = None
) -> float:
    """What forward and backward pass need: 6 for each parameter in a matrix product and token, and attention."""
    return 3 * forward_flops(config, head, n_tokens, n_seen, n_targets).total


def hardware_flops(config: ModelConfig, head: Head, n_tokens: float, n_seen: float, remat: Remat) -> float:
    """`train_flops` and what `remat` computes a second time.

    Counted as if no work were done on padding or on keys that are not seen; a kernel may do some.
    """
    forward = forward_flops(config, head, n_tokens, n_seen)
    again = sum(getattr(forward, part) for part in _RECOMPUTED[remat])
    return 3 * forward.total + again


def causal(length: int, window: int | None = None) -> float:
    """Keys that the tokens of one text see in all: half of length^2, of each token's own key half."""
    inside = length if window is None else min(length, window)
    return inside**2 / 2 + (length - inside) * (inside - 0.5)


def seen_keys(rows: Mapping[str, np.ndarray], window: int | None = None) -> float:
    """The same for packed rows, padding left out.

    A token sees as many keys as its position says, in a tree of branches too, whose positions go on from the trunk's.
    """
    positions = rows["positions"][rows["segments"] > 0].astype(np.float64)
    seen = positions + 1 if window is None else np.minimum(positions + 1, window)
    return float(np.sum(seen - 0.5))
