"""Small models of every family, as `transformers` makes them: random weights of the true architectures."""

from __future__ import annotations

import pytest
import transformers

SIZES = {
    "vocab_size": 99,
    "hidden_size": 48,
    "intermediate_size": 80,
    "num_hidden_layers": 3,
    "num_attention_heads": 6,
    "num_key_value_heads": 2,
    "max_position_embeddings": 256,
    "pad_token_id": None,
    "bos_token_id": None,
    "eos_token_id": None,
    "initializer_range": 0.2,  # large, so that an error shows
}
LLAMA3 = {
    "rope_type": "llama3",
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}
_LONG = {"type": "longrope", "short_factor": [1.0, 1.1, 1.5, 2.0], "long_factor": [1.0, 2.0, 5.0, 9.0]}


def _phi3(**changes):
    return transformers.Phi3Config(**SIZES | {"original_max_position_embeddings": 256} | changes)


def configs() -> dict[str, transformers.PretrainedConfig]:
    """By name. Heads have 8 dimensions, but for Qwen3, whose heads are not D/H wide."""
    return {
        "qwen2": transformers.Qwen2Config(**SIZES, rope_theta=1e6),
        "qwen2-tied": transformers.Qwen2Config(**SIZES, tie_word_embeddings=True),
        "qwen3": transformers.Qwen3Config(**SIZES, head_dim=16, rope_theta=1e6, tie_word_embeddings=True),
        "llama2": transformers.LlamaConfig(**SIZES | {"num_key_value_heads": 6}, rms_norm_eps=1e-5),
        "llama3": transformers.LlamaConfig(**SIZES, rope_theta=5e5, rope_scaling=LLAMA3, tie_word_embeddings=True),
        "llama-linear": transformers.LlamaConfig(**SIZES, rope_scaling={"rope_type": "linear", "factor": 4.0}),
        "phi3": _phi3(sliding_window=20),
        "phi3-long": _phi3(rope_scaling=_LONG, original_max_position_embeddings=64, sliding_window=200),
        "phi3-partial": _phi3(partial_rotary_factor=0.5),
    }


NAMES = tuple(configs())
QUICK = ("qwen2", "phi3")
# For what takes long: the others are marked as slow.
MOSTLY_SLOW = [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in NAMES]


def make(name: str, folder, dtype=None, **save):
    """The model of `transformers`, which is saved in `folder` too."""
    import torch

    torch.manual_seed(0)
    model = transformers.AutoModelForCausalLM.from_config(configs()[name], attn_implementation="eager")
    _unlike_their_start(model)
    model = model.to(dtype or torch.float32).eval()
    model.save_pretrained(folder, **save)
    return model


def _unlike_their_start(model) -> None:
    """Biases start at zero and norms at one, where a mistake would not show."""
    import torch

    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith("bias") or "norm" in name:
                parameter.add_(0.3 * torch.randn_like(parameter))
