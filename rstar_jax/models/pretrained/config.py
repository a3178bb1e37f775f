"""`config.json` of a Hugging Face folder as a `ModelConfig`, and back.

Every field of the file is either used, known to change nothing here, or allowed one value only; anything else is
refused by name. Files are written in the form of transformers 4, which 5 reads too.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from typing import Any, cast

from rstar_jax.errors import InputError
from rstar_jax.files import AnyPath
from rstar_jax.models.config import Family, ModelConfig
from rstar_jax.models.pretrained.rope import read_rope, rope_fields
from rstar_jax.models.rope import LongRope

_SIZES = {  # field of the file: ours
    "vocab_size": "vocab_size",
    "hidden_size": "d_model",
    "num_hidden_layers": "n_layers",
    "num_attention_heads": "n_heads",
    "intermediate_size": "d_ff",
}
_USED = {
    *_SIZES,
    "model_type",
    "num_key_value_heads",
    "head_dim",
    "rms_norm_eps",
    "rope_theta",
    "rope_scaling",
    "rope_parameters",
    "tie_word_embeddings",
    "max_position_embeddings",
    "torch_dtype",
    "dtype",
}
_WITHOUT_EFFECT = {  # on what the model computes
    "_attn_implementation",
    "_attn_implementation_autoset",
    "_name_or_path",
    "architectures",
    "auto_map",
    "bos_token_id",
    "eos_token_id",
    "initializer_range",
    "max_window_layers",
    "pad_token_id",
    "pretraining_tp",
    "rstar_jax",
    "transformers_version",
    "use_cache",
}
_ONE_VALUE: dict[str, tuple[Any, ...]] = {
    "hidden_act": ("silu",),
    "attention_dropout": (0, None),
    "use_mrope": (False, None),  # in the files of Qwen2.5
}


@dataclasses.dataclass(frozen=True)
class _Layout:
    """What is peculiar to a family's files. fixed: fields that may have these values only."""

    architecture: str
    qkv_bias: bool = False
    qk_norm: bool = False
    fixed: Mapping[str, tuple[Any, ...]] = dataclasses.field(default_factory=dict)
    used: frozenset[str] = frozenset()
    required: tuple[str, ...] = ()


_NO_WINDOW = {"use_sliding_window": (False, None)}
LAYOUTS: dict[Family, _Layout] = {
    # `sliding_window` says nothing while `use_sliding_window` is false, and `layer_types` repeats that.
    "qwen2": _Layout(
        "Qwen2ForCausalLM",
        qkv_bias=True,
        fixed=_NO_WINDOW,
        used=frozenset({"sliding_window", "layer_types"}),
        required=("num_key_value_heads",),
    ),
    "qwen3": _Layout(
        "Qwen3ForCausalLM",
        qk_norm=True,
        fixed=_NO_WINDOW | {"attention_bias": (False,)},
        used=frozenset({"sliding_window", "layer_types"}),
        required=("num_key_value_heads", "head_dim"),
    ),
    "llama": _Layout("LlamaForCausalLM", fixed={"attention_bias": (False,), "mlp_bias": (False,)}),
    "phi3": _Layout(
        "Phi3ForCausalLM",
        fixed={
            "attention_bias": (False,),
            "resid_pdrop": (0,),
            "embd_pdrop": (0,),
            "full_attn_mod": (1,),  # this and what follows: in the files of Phi-4-mini
            "interpolate_factor": (1,),
            "lm_head_bias": (False,),
            "mlp_bias": (False,),
        },
        used=frozenset({"sliding_window", "original_max_position_embeddings", "partial_rotary_factor"}),
    ),
}


def from_hugging_face(
    found: Mapping[str, Any], where: AnyPath, *, max_length: int | None = None, dtype: str | None = None
) -> ModelConfig:
    """The architecture that a `config.json` describes.

    Args:
      where: the file's name, for errors.
      max_length: the longest context that a model with longrope will be used with, which decides between its short and
        its long factors; by default what the file allows. It does not matter to other models.
      dtype: of parameters and computation; by default the file's (float32 if it names none).

    Raises:
      InputError: a family, field or value that is not supported (all of them are named), or a missing field.
    """
    family, place = found.get("model_type"), os.fspath(where)
    if family not in LAYOUTS:
        raise InputError(f'{place}: model_type "{family}" is not supported (known are {", ".join(LAYOUTS)})')
    family = cast(Family, family)
    layout = LAYOUTS[family]
    _refuse(found, layout, family, place)
    required = (*_SIZES, "rms_norm_eps", "max_position_embeddings", *layout.required)
    missing = [name for name in required if found.get(name) is None]
    if missing:
        raise InputError(f"{place}: no {', '.join(missing)}")
    rope = read_rope(found, place)
    is_long = isinstance(rope.scaling, LongRope)
    if rope.scaling is not None and is_long != (family == "phi3"):
        raise InputError(f"{place}: {rope.scaling.kind} rope scaling is not supported for {family}")
    dtype = dtype or found.get("dtype") or found.get("torch_dtype") or "float32"
    if dtype not in ("float32", "bfloat16", "float16"):
        raise InputError(f'{place}: dtype "{dtype}" is not supported')
    n_heads = found["num_attention_heads"]
    try:
        return ModelConfig(
            family=family,
            **{ours: found[name] for name, ours in _SIZES.items()},
            n_kv_heads=found.get("num_key_value_heads") or n_heads,
            head_dim=found.get("head_dim") or found["hidden_size"] // n_heads,
            norm_eps=found["rms_norm_eps"],
            rope_theta=rope.theta,
            rope_scaling=rope.scaling,
            rope_fraction=rope.fraction,
            window=found.get("sliding_window") if family == "phi3" else None,
            qkv_bias=layout.qkv_bias,
            qk_norm=layout.qk_norm,
            tie_embeddings=bool(found.get("tie_word_embeddings", False)),
            max_length=max_length if is_long and max_length else found["max_position_embeddings"],
            param_dtype=dtype,
            compute_dtype=dtype,
        )
    except ValueError as error:
        raise InputError(f"{place}: {error}") from error


def to_hugging_face(config: ModelConfig, dtype: str | None = None) -> dict[str, Any]:
    """The `config.json` of an architecture whose weights are stored as `dtype` (by default as they are).

    Raises:
      InputError: the family's files cannot say what the architecture is.
    """
    layout = LAYOUTS[config.family]
    if (config.qkv_bias, config.qk_norm) != (layout.qkv_bias, layout.qk_norm):
        raise InputError(f"qkv_bias={config.qkv_bias}, qk_norm={config.qk_norm} is no {config.family} model")
    if config.family != "phi3" and (config.window is not None or config.rope_fraction != 1):
        raise InputError(f"a {config.family} model has no window and turns whole heads")
    scaling = config.rope_scaling
    longest = scaling.full_max_length if isinstance(scaling, LongRope) else config.max_length
    fields: dict[str, Any] = {
        "architectures": [layout.architecture],
        "model_type": config.family,
        **{name: getattr(config, ours) for name, ours in _SIZES.items()},
        "num_key_value_heads": config.n_kv_heads,
        "head_dim": config.head_dim,
        "hidden_act": "silu",
        "rms_norm_eps": config.norm_eps,
        "rope_theta": config.rope_theta,
        "rope_scaling": None if scaling is None else rope_fields(scaling),
        "tie_word_embeddings": config.tie_embeddings,
        "max_position_embeddings": longest,
        "attention_dropout": 0.0,
        "initializer_range": 0.02,
        "torch_dtype": dtype or config.param_dtype,
        "use_cache": True,
        # Left out, some families have defaults here that mean other tokens in other vocabularies; the tokenizer knows.
        **dict.fromkeys(("bos_token_id", "eos_token_id", "pad_token_id")),
    }
    if config.family == "phi3":
        original = scaling.original_max_length if isinstance(scaling, LongRope) else longest
        fields |= {"sliding_window": config.window, "original_max_position_embeddings": original}
        fields |= {"resid_pdrop": 0.0, "embd_pdrop": 0.0, "partial_rotary_factor": config.rope_fraction}
    return fields


def _refuse(found: Mapping[str, Any], layout: _Layout, family: Family, place: str) -> None:
    """Raise `InputError` for everything that would be ignored otherwise."""
    fixed = _ONE_VALUE | dict(layout.fixed)
    bad = [f"{name}={found[name]!r}" for name, values in fixed.items() if name in found and found[name] not in values]
    kinds = set(found.get("layer_types") or ())
    if kinds - {"full_attention"}:
        bad.append(f"layer_types with {', '.join(sorted(kinds - {'full_attention'}))}")
    known = _USED | _WITHOUT_EFFECT | set(fixed) | layout.used
    bad += [f"{name}={value!r}" for name, value in found.items() if name not in known]
    if bad:
        raise InputError(f"{place}: not supported for {family}: {'; '.join(sorted(bad))}")
