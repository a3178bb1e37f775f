"""Sizes of published models, for programs that are compiled without weights. Source: their config.json files."""

from __future__ import annotations

import functools

from rstar_jax.models.config import ModelConfig

_qwen2 = functools.partial(ModelConfig, param_dtype="bfloat16", compute_dtype="bfloat16")

QWEN: dict[str, ModelConfig] = {
    "qwen2-0.5b": _qwen2(
        vocab_size=151936,
        d_model=896,
        n_layers=24,
        n_heads=14,
        n_kv_heads=2,
        head_dim=64,
        d_ff=4864,
        rope_theta=1_000_000.0,
    ),
    "qwen2.5-math-1.5b": _qwen2(
        vocab_size=151936,
        d_model=1536,
        n_layers=28,
        n_heads=12,
        n_kv_heads=2,
        head_dim=128,
        d_ff=8960,
    ),
    "qwen2.5-math-7b": _qwen2(
        vocab_size=152064,
        d_model=3584,
        n_layers=28,
        n_heads=28,
        n_kv_heads=4,
        head_dim=128,
        d_ff=18944,
        tie_embeddings=False,
    ),
}
