"""An architecture is a value: every decoder that the project knows is a `ModelConfig`.

Shape letters used in the whole project: B batch, L sequence (queries), S sequence (keys), D model, H heads,
K kv heads, G query heads per kv head, h head dimension, N layers, V vocabulary, F feed-forward.
"""

from __future__ import annotations

import dataclasses
from typing import Literal

Head = Literal["lm", "value"]


@dataclasses.dataclass(frozen=True)
class ModelConfig:
    """A pre-norm decoder with rotary positions, grouped-query attention and a gated MLP (Qwen2 family)."""

    vocab_size: int
    d_model: int
    n_layers: int
    n_heads: int
    n_kv_heads: int
    head_dim: int
    d_ff: int
    rope_theta: float = 10_000.0
    norm_eps: float = 1e-6
    qkv_bias: bool = True  # Qwen2: biases on q, k and v only
    qk_norm: bool = False  # Qwen3: RMS norm of queries and keys per head
    tie_embeddings: bool = True
    max_length: int = 4096
    param_dtype: str = "float32"
    compute_dtype: str = "float32"
    init_scale: float = 0.02  # standard deviation of the embedding; projections use 1/sqrt(fan in)
    # "mimetic": q close to k and o close to the transpose of v, as trained models have it (Trockman and Kolter
    # 2023): heads match and copy tokens from the first step, which a small model needs long to find by itself.
    init: Literal["normal", "mimetic"] = "normal"

    def __post_init__(self) -> None:
        if self.n_heads % self.n_kv_heads:
            raise ValueError(f"n_heads={self.n_heads} is no multiple of n_kv_heads={self.n_kv_heads}")
        if self.head_dim % 2:
            raise ValueError(f"head_dim={self.head_dim} is odd, rotary positions need pairs")

    @property
    def group_size(self) -> int:
        """Query heads that share one kv head (G)."""
        return self.n_heads // self.n_kv_heads
