"""Architectures of published models, for programs that need no weights: compiling, counting, comparing.

Fields as in their `config.json`, as far as they matter for that.
"""

from __future__ import annotations

from typing import Any

from rstar_jax.models.config import ModelConfig
from rstar_jax.models.pretrained.config import from_hugging_face


def _fields(
    model_type: str, width: int, ffw: int, layers: int, heads: int, kv_heads: int, **more: Any
) -> dict[str, Any]:
    return {
        "model_type": model_type,
        "hidden_size": width,
        "intermediate_size": ffw,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "num_key_value_heads": kv_heads,
        "torch_dtype": "bfloat16",
        "rms_norm_eps": 1e-6 if model_type.startswith("qwen") else 1e-5,
        **more,
    }


def _qwen2(*sizes: int, **more: Any) -> dict[str, Any]:
    math = {"vocab_size": 152064, "rope_theta": 10_000.0, "max_position_embeddings": 4096}
    return _fields("qwen2", *sizes, **math | more)


def _qwen3(*sizes: int, **more: Any) -> dict[str, Any]:
    long = {"rope_theta": 1e6, "max_position_embeddings": 32768, "head_dim": 128, "vocab_size": 151936}
    return _fields("qwen3", *sizes, **long, **more)


def _llama3(*sizes: int, factor: float, **more: Any) -> dict[str, Any]:
    scaling = {"rope_type": "llama3", "factor": factor, "low_freq_factor": 1.0, "high_freq_factor": 4.0}
    scaling["original_max_position_embeddings"] = 8192
    long = {"rope_theta": 5e5, "rope_scaling": scaling, "max_position_embeddings": 131072, "vocab_size": 128256}
    return _fields("llama", *sizes, **long, **more)


def _phi3(*sizes: int, **more: Any) -> dict[str, Any]:
    return _fields("phi3", *sizes, **{"vocab_size": 32064, "original_max_position_embeddings": 4096} | more)


_SMALL_QWEN = {"vocab_size": 151936, "tie_word_embeddings": True}
PUBLISHED: dict[str, dict[str, Any]] = {
    "qwen2.5-0.5b": _qwen2(896, 4864, 24, 14, 2, **_SMALL_QWEN, rope_theta=1e6, max_position_embeddings=32768),
    "qwen2.5-math-1.5b": _qwen2(1536, 8960, 28, 12, 2, **_SMALL_QWEN),
    "qwen2-math-7b": _qwen2(3584, 18944, 28, 28, 4),
    "qwen2.5-math-7b": _qwen2(3584, 18944, 28, 28, 4),
    "qwen2.5-math-72b": _qwen2(8192, 29568, 80, 64, 8),
    "qwen3-0.6b": _qwen3(1024, 3072, 28, 16, 8, tie_word_embeddings=True),
    "qwen3-8b": _qwen3(4096, 12288, 36, 32, 8),
    "llama-2-7b": _fields("llama", 4096, 11008, 32, 32, 32, vocab_size=32000, max_position_embeddings=4096),
    "llama-3.1-8b": _llama3(4096, 14336, 32, 32, 8, factor=8.0),
    "llama-3.2-1b": _llama3(2048, 8192, 16, 32, 8, factor=32.0, head_dim=64, tie_word_embeddings=True),
    "phi-3-mini-4k": _phi3(3072, 8192, 32, 32, 32, max_position_embeddings=4096, sliding_window=2047),
    # A stand-in for the published table of 48 divisors: it grows from the fastest pair to the slowest as that does.
    "phi-3-mini-128k": _phi3(
        3072,
        8192,
        32,
        32,
        32,
        max_position_embeddings=131072,
        sliding_window=262144,
        rope_scaling={
            "type": "longrope",
            "short_factor": [1.0 + 0.02 * i for i in range(48)],
            "long_factor": [1.0 + 63.0 * (i / 47) ** 2 for i in range(48)],
        },
    ),
}


def published(name: str) -> ModelConfig:
    """A published architecture. Raises KeyError for an unknown name."""
    return from_hugging_face(PUBLISHED[name], name)
