"""`config.json` files as they are published: all of them load, and say what they should."""

from __future__ import annotations

import pytest

from rstar_jax.errors import InputError
from rstar_jax.models.pretrained.config import from_hugging_face, to_hugging_face
from rstar_jax.models.published import published
from rstar_jax.models.rope import LongRope

_COMMON = {
    "attention_dropout": 0.0,
    "hidden_act": "silu",
    "initializer_range": 0.02,
    "torch_dtype": "bfloat16",
    "use_cache": True,
}
QWEN25_MATH_7B = _COMMON | {
    "architectures": ["Qwen2ForCausalLM"],
    "bos_token_id": 151643,
    "eos_token_id": 151643,
    "hidden_size": 3584,
    "intermediate_size": 18944,
    "max_position_embeddings": 4096,
    "max_window_layers": 28,
    "model_type": "qwen2",
    "num_attention_heads": 28,
    "num_hidden_layers": 28,
    "num_key_value_heads": 4,
    "rms_norm_eps": 1e-06,
    "rope_theta": 10000.0,
    "sliding_window": 4096,
    "tie_word_embeddings": False,
    "transformers_version": "4.44.0",
    "use_mrope": False,
    "use_sliding_window": False,
    "vocab_size": 152064,
}
QWEN3_8B = _COMMON | {
    "architectures": ["Qwen3ForCausalLM"],
    "attention_bias": False,
    "bos_token_id": 151643,
    "eos_token_id": 151645,
    "head_dim": 128,
    "hidden_size": 4096,
    "intermediate_size": 12288,
    "max_position_embeddings": 32768,
    "max_window_layers": 36,
    "model_type": "qwen3",
    "num_attention_heads": 32,
    "num_hidden_layers": 36,
    "num_key_value_heads": 8,
    "rms_norm_eps": 1e-06,
    "rope_scaling": None,
    "rope_theta": 1000000,
    "sliding_window": None,
    "tie_word_embeddings": False,
    "transformers_version": "4.51.0",
    "use_sliding_window": False,
    "vocab_size": 151936,
}
LLAMA31_8B = _COMMON | {
    "architectures": ["LlamaForCausalLM"],
    "attention_bias": False,
    "bos_token_id": 128000,
    "eos_token_id": [128001, 128008, 128009],
    "hidden_size": 4096,
    "intermediate_size": 14336,
    "max_position_embeddings": 131072,
    "mlp_bias": False,
    "model_type": "llama",
    "num_attention_heads": 32,
    "num_hidden_layers": 32,
    "num_key_value_heads": 8,
    "pretraining_tp": 1,
    "rms_norm_eps": 1e-05,
    "rope_scaling": {
        "factor": 8.0,
        "high_freq_factor": 4.0,
        "low_freq_factor": 1.0,
        "original_max_position_embeddings": 8192,
        "rope_type": "llama3",
    },
    "rope_theta": 500000.0,
    "tie_word_embeddings": False,
    "transformers_version": "4.42.3",
    "vocab_size": 128256,
}
PHI3_MINI_4K = _COMMON | {
    "_name_or_path": "Phi-3-mini-4k-instruct",
    "architectures": ["Phi3ForCausalLM"],
    "attention_bias": False,
    "auto_map": {"AutoConfig": "configuration_phi3.Phi3Config"},
    "bos_token_id": 1,
    "embd_pdrop": 0.0,
    "eos_token_id": 32000,
    "hidden_size": 3072,
    "intermediate_size": 8192,
    "max_position_embeddings": 4096,
    "model_type": "phi3",
    "num_attention_heads": 32,
    "num_hidden_layers": 32,
    "num_key_value_heads": 32,
    "original_max_position_embeddings": 4096,
    "pad_token_id": 32000,
    "resid_pdrop": 0.0,
    "rms_norm_eps": 1e-05,
    "rope_scaling": None,
    "rope_theta": 10000.0,
    "sliding_window": 2047,
    "tie_word_embeddings": False,
    "transformers_version": "4.40.2",
    "vocab_size": 32064,
}
PHI4_MINI = PHI3_MINI_4K | {
    "full_attn_mod": 1,
    "interpolate_factor": 1,
    "lm_head_bias": False,
    "max_position_embeddings": 131072,
    "mlp_bias": False,
    "num_attention_heads": 24,
    "num_key_value_heads": 8,
    "partial_rotary_factor": 0.75,
    "rope_scaling": {"long_factor": [1.0] * 48, "short_factor": [1.0] * 48, "type": "longrope"},
    "sliding_window": 262144,
    "tie_word_embeddings": True,
    "vocab_size": 200064,
}
LONG = {
    "type": "longrope",
    "short_factor": [1.0] * 64,
    "long_factor": [1.0] * 64,
    "factor": 2.0,
    "original_max_position_embeddings": 4096,
}


@pytest.mark.parametrize(
    ("found", "name"),
    [
        (QWEN25_MATH_7B, "qwen2.5-math-7b"),
        (QWEN3_8B, "qwen3-8b"),
        (LLAMA31_8B, "llama-3.1-8b"),
        (PHI3_MINI_4K, "phi-3-mini-4k"),
    ],
)
def test_files_as_they_are_give_the_published_architectures(found, name):
    assert from_hugging_face(found, "config.json") == published(name)


def test_phi4_mini():
    config = from_hugging_face(PHI4_MINI, "config.json")
    assert (config.rope_width, config.head_dim, config.tie_embeddings) == (96, 128, True)
    assert isinstance(config.rope_scaling, LongRope)


@pytest.mark.parametrize("found", [QWEN25_MATH_7B, QWEN3_8B, LLAMA31_8B, PHI3_MINI_4K, PHI4_MINI])
def test_what_is_written_is_read_again(found):
    config = from_hugging_face(found, "config.json")
    written = to_hugging_face(config)
    assert from_hugging_face(written, "config.json") == config
    assert written["eos_token_id"] is None  # or Llama's default would be 2, which is "#" in Llama 3


def test_fields_of_fine_tunes_that_change_nothing():
    from_hugging_face(QWEN25_MATH_7B | {"_attn_implementation_autoset": True}, "config.json")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"use_mrope": True}, "use_mrope=True"),
        ({"num_key_value_heads": 3}, "n_heads=28 is no multiple of n_kv_heads=3"),
        ({"rope_scaling": "linear"}, "rope_scaling is no object"),
        ({"max_position_embeddings": None}, "no max_position_embeddings"),
        ({"rope_scaling": LONG}, "longrope rope scaling is not supported for qwen2"),
    ],
)
def test_what_is_wrong_is_one_sentence(changes, words):
    with pytest.raises(InputError) as error:
        from_hugging_face(QWEN25_MATH_7B | changes, "config.json")
    assert words in str(error.value)


def test_longrope_needs_a_factor_for_each_pair():
    scaling = PHI4_MINI["rope_scaling"] | {"long_factor": [1.0] * 47}
    with pytest.raises(InputError, match="47 factors for 48 pairs"):
        from_hugging_face(PHI4_MINI | {"rope_scaling": scaling}, "config.json")
