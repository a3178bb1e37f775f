"""Phi-3-mini-4k-instruct, trained once on what the 7B run has found in round 4, and guided by its PPM (section 4.1).

    python experiments/start_from.py --config phi3_mini --other runs/qwen2_5_math_7b-s0
    python experiments/evolve.py --config phi3_mini

`phi3_mini:released` has the settings of the authors' code.
The policy is trained with a cosine schedule from 5e-6 (appendix A.1).
Hardware: as `qwen2_5_math_7b.py`. Not run by us.
"""

import dataclasses

from rstar_jax.evolution import presets
from rstar_jax.evolution.config import EvolutionConfig
from rstar_jax.training.optimizer import PAPER_POLICY_PHI3, RELEASED_POLICY

BASE = "microsoft/Phi-3-mini-4k-instruct"
_RELEASED = dataclasses.replace(RELEASED_POLICY, schedule="cosine", learning_rate=5e-6)


def config(seed: int = 0, preset: presets.Preset = "paper") -> EvolutionConfig:
    if preset == "released":
        return presets.derived(presets.released("phi3_mini, released", BASE, seed, _RELEASED))
    return presets.derived(presets.paper("phi3_mini, paper", BASE, seed, PAPER_POLICY_PHI3))
