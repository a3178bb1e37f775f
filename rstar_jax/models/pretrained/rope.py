"""Rotary positions in a `config.json`: the fields of transformers 4 (`rope_scaling`) and 5 (`rope_parameters`)."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from rstar_jax.errors import InputError
from rstar_jax.models.rope import LinearScaling, Llama3Scaling, LongRope, RopeScaling

_ORIGINAL = "original_max_position_embeddings"
_FIELDS: dict[str, set[str]] = {  # by kind of scaling
    "default": set(),
    "linear": {"factor"},
    "llama3": {"factor", "low_freq_factor", "high_freq_factor", _ORIGINAL},
    "longrope": {"short_factor", "long_factor", "factor", _ORIGINAL},
}
_OLD_NAMES = {"su": "longrope"}


@dataclasses.dataclass(frozen=True)
class Rope:
    """What a file says, as the fields of `ModelConfig`."""

    theta: float
    scaling: RopeScaling | None
    fraction: float


def read_rope(found: Mapping[str, Any], place: str) -> Rope:
    """Raises InputError for a kind or field of scaling that is not supported, and for missing fields."""
    given = [found.get(name) or {} for name in ("rope_scaling", "rope_parameters")]
    if not all(isinstance(fields, dict) for fields in given):
        raise InputError(f"{place}: rope_scaling is no object")
    fields = given[0] | given[1]
    theta = fields.pop("rope_theta", None) or found.get("rope_theta") or 10_000.0
    fraction = fields.pop("partial_rotary_factor", None) or found.get("partial_rotary_factor") or 1.0
    named = [str(fields.pop(name)) for name in ("type", "rope_type") if fields.get(name)]
    kind = ", ".join(sorted({_OLD_NAMES.get(name, name) for name in named})) or "default"
    if kind not in _FIELDS:
        raise InputError(f'{place}: rope scaling "{kind}" is not supported (known are {", ".join(_FIELDS)})')
    fields = {name: value for name, value in fields.items() if value is not None}
    if fields.keys() - _FIELDS[kind]:
        bad = "; ".join(f"{name}={fields[name]!r}" for name in sorted(fields.keys() - _FIELDS[kind]))
        raise InputError(f"{place}: not supported with {kind} rope scaling: {bad}")
    try:
        return Rope(float(theta), _scaling(kind, fields, found), float(fraction))
    except KeyError as error:
        raise InputError(f"{place}: {kind} rope scaling without {error}") from error


def rope_fields(scaling: RopeScaling) -> dict[str, Any]:
    """The `rope_scaling` of a file."""
    if isinstance(scaling, LinearScaling):
        return {"rope_type": "linear", "factor": scaling.factor}
    if isinstance(scaling, Llama3Scaling):
        factors = {name: getattr(scaling, name) for name in ("factor", "low_freq_factor", "high_freq_factor")}
        return {"rope_type": "llama3", **factors, _ORIGINAL: scaling.original_max_length}
    # Phi-3's own code takes exactly these three fields.
    return {"type": "longrope", "short_factor": list(scaling.short_factor), "long_factor": list(scaling.long_factor)}


def _scaling(kind: str, fields: Mapping[str, Any], found: Mapping[str, Any]) -> RopeScaling | None:
    if kind == "linear":
        return LinearScaling(fields["factor"])
    if kind == "llama3":
        factor, low, high = (float(fields[name]) for name in ("factor", "low_freq_factor", "high_freq_factor"))
        return Llama3Scaling(factor, low, high, fields[_ORIGINAL])
    if kind == "longrope":
        original = fields.get(_ORIGINAL) or found[_ORIGINAL]
        full = round(fields["factor"] * original) if "factor" in fields else found["max_position_embeddings"]
        return LongRope(tuple(fields["short_factor"]), tuple(fields["long_factor"]), original, full)
    return None
