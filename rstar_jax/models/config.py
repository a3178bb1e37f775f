"""An architecture is a value: every decoder that the project knows is a `ModelConfig`.

`pretrained.config` reads and writes it as the `config.json` of a Hugging Face folder.

Shape letters used in the whole project: B batch, L sequence (queries), S sequence (keys), D model, H heads,
K kv heads, G query heads per kv head, h head dimension, N layers, V vocabulary, F feed-forward.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Literal

from rstar_jax.models.rope import LongRope, RopeScaling, scaling_from_json, scaling_to_json

Head = Literal["lm", "value"]
Family = Literal["qwen2", "qwen3", "llama", "phi3"]


@dataclasses.dataclass(frozen=True)
class ModelConfig:
    """A pre-norm decoder with rotary positions, grouped-query attention and a gated MLP.

    family: whose Hugging Face layout its files have; the computation follows from the other fields alone.
    """

    vocab_size: int
    d_model: int
    n_layers: int
    n_heads: int
    n_kv_heads: int
    head_dim: int
    d_ff: int
    family: Family = "qwen2"
    rope_theta: float = 10_000.0
    rope_scaling: RopeScaling | None = None
    rope_fraction: float = 1.0  # of a head's dimensions that turn (Phi-4-mini: 0.75)
    window: int | None = None  # a token sees so many tokens, itself included (Phi-3)
    norm_eps: float = 1e-6
    qkv_bias: bool = True  # Qwen2: biases on q, k and v only
    qk_norm: bool = False  # Qwen3: RMS norm of queries and keys per head
    tie_embeddings: bool = True
    vocab_multiple: int = 1  # the embedding has rows up to such a multiple, so that V can be sharded
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
        if self.window is not None and self.window < 1:
            raise ValueError(f"window={self.window}: a token sees at least itself")
        if isinstance(self.rope_scaling, LongRope):
            self.rope_scaling.check(self.rope_width)

    @property
    def group_size(self) -> int:
        """Query heads that share one kv head (G)."""
        return self.n_heads // self.n_kv_heads

    @property
    def rows(self) -> int:
        """Rows of the embedding: `vocab_size` tokens, and padding that has no probability."""
        return -(-self.vocab_size // self.vocab_multiple) * self.vocab_multiple

    @property
    def rope_width(self) -> int:
        """Dimensions of a head that turn."""
        return int(self.head_dim * self.rope_fraction)

    def to_json(self) -> dict[str, Any]:
        fields = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        scaling = self.rope_scaling
        return fields | {"rope_scaling": None if scaling is None else scaling_to_json(scaling)}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> ModelConfig:
        """What `to_json` gave. Raises TypeError for fields that there are not."""
        scaling = value.get("rope_scaling")
        return cls(**{**value, "rope_scaling": None if scaling is None else scaling_from_json(scaling)})
