"""Rotary positions: how fast each pair of a head's dimensions turns, and how longer contexts slow them down.

A scaling is a value of `ModelConfig`; its JSON form names its kind. Frequencies are computed on the host, step by step
in float32 as `transformers` does, since an error of one rounding grows with the position.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Float


@dataclasses.dataclass(frozen=True)
class LinearScaling:
    """Positions divided by a factor."""

    kind: ClassVar[str] = "linear"
    factor: float

    attention_factor: ClassVar[float] = 1.0

    def frequencies(self, theta: float, width: int, max_length: int) -> Float[np.ndarray, " r"]:
        return plain_frequencies(theta, width) / np.float32(self.factor)


@dataclasses.dataclass(frozen=True)
class Llama3Scaling:
    """Llama 3.1: slow turns are divided by a factor, fast ones stay, and those between are mixed."""

    kind: ClassVar[str] = "llama3"
    factor: float
    low_freq_factor: float
    high_freq_factor: float
    original_max_length: int

    attention_factor: ClassVar[float] = 1.0

    def frequencies(self, theta: float, width: int, max_length: int) -> Float[np.ndarray, " r"]:
        plain = plain_frequencies(theta, width)
        wavelength = np.float32(2 * math.pi) / plain
        low, high = self.low_freq_factor, self.high_freq_factor
        kept = (np.float32(self.original_max_length) / wavelength - np.float32(low)) / np.float32(high - low)
        slow = plain / np.float32(self.factor)
        mixed = (1 - kept) * slow + kept * plain
        between = np.where(wavelength < self.original_max_length / high, plain, mixed)
        return np.where(wavelength > self.original_max_length / low, slow, between).astype(np.float32)


@dataclasses.dataclass(frozen=True)
class LongRope:
    """Phi-3 (LongRoPE): each pair of dimensions has a divisor of its own, for short and for long contexts.

    Which of the two applies is decided once, by the longest context that a model is used with (`max_length`), as vLLM
    decides it: keys in a cache must not change their meaning when a text grows past the original length, which they
    do in `transformers`. Queries and keys are scaled by `attention_factor` in either case.
    """

    kind: ClassVar[str] = "longrope"
    short_factor: tuple[float, ...]
    long_factor: tuple[float, ...]
    original_max_length: int
    full_max_length: int

    @property
    def attention_factor(self) -> float:
        """LongRoPE's correction for attention over more tokens than before (Ding et al. 2024)."""
        stretch = self.full_max_length / self.original_max_length
        return math.sqrt(1 + math.log(stretch) / math.log(self.original_max_length)) if stretch > 1 else 1.0

    def check(self, width: int) -> None:
        """Raise ValueError unless there is a factor for each pair of `width` dimensions."""
        for factors in (self.short_factor, self.long_factor):
            if len(factors) != width // 2:
                raise ValueError(f"longrope has {len(factors)} factors for {width // 2} pairs of dimensions")

    def is_long(self, max_length: int) -> bool:
        return max_length > self.original_max_length

    def frequencies(self, theta: float, width: int, max_length: int) -> Float[np.ndarray, " r"]:
        factors = self.long_factor if self.is_long(max_length) else self.short_factor
        exponents = np.arange(0, width, 2, dtype=np.float32) / np.float32(width)
        return np.float32(1) / (np.asarray(factors, np.float32) * np.float32(theta) ** exponents)


RopeScaling = LinearScaling | Llama3Scaling | LongRope
_KINDS: dict[str, type[RopeScaling]] = {kind.kind: kind for kind in (LinearScaling, Llama3Scaling, LongRope)}


def plain_frequencies(theta: float, width: int) -> Float[np.ndarray, " r"]:
    """Radians a position for each of the `width`/2 pairs of dimensions."""
    exponents = np.arange(0, width, 2, dtype=np.float32) / np.float32(width)
    return np.float32(1) / np.float32(theta) ** exponents


def scaling_to_json(scaling: RopeScaling) -> dict[str, Any]:
    return {"kind": scaling.kind, **dataclasses.asdict(scaling)}


def scaling_from_json(value: Mapping[str, Any]) -> RopeScaling:
    """What `scaling_to_json` wrote. Raises KeyError for an unknown kind, TypeError for unknown fields."""
    fields: dict[str, Any] = {name: tuple(x) if isinstance(x, list) else x for name, x in value.items()}
    del fields["kind"]
    return _KINDS[value["kind"]](**fields)
