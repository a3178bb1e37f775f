"""Qwen2-Math-7B, trained once on what the 7B run has found in round 4, and guided by its PPM (section 4.1).

    python experiments/start_from.py --config qwen2_math_7b --other runs/qwen2_5_math_7b-s0
    python experiments/evolve.py --config qwen2_math_7b

`qwen2_math_7b:released` has the settings of the authors' code.
Hardware: as `qwen2_5_math_7b.py`. Not run by us.
"""

from rstar_jax.evolution import presets
from rstar_jax.evolution.config import EvolutionConfig

BASE = "Qwen/Qwen2-Math-7B"


def config(seed: int = 0, preset: presets.Preset = "paper") -> EvolutionConfig:
    return presets.derived(presets.named(preset, "qwen2_math_7b", BASE, seed))
