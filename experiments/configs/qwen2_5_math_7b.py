"""The paper's run: four rounds of self-evolution from Qwen2.5-Math-7B.

    python experiments/evolve.py --config qwen2_5_math_7b            # on one host; on several: experiments/drive.py
    python experiments/evolve.py --config qwen2_5_math_7b:released   # with the settings of the authors' code

Problems: `prepare_problems.py --out data ...` makes data/problems.jsonl; data/math500.json is the held-out set. Round 1
asks an OpenAI-compatible server on this host for DeepSeek-Coder-V2-Instruct's steps.
Hardware: TPU slices from v5e-16 on (the README's table says what fits). The paper's rounds 2 and 3 took 15 nodes of 4
A100 for 3 days each; `experiments/benchmarks/cluster_simulation.py` estimates hours. Not run by us.
"""

from rstar_jax.evolution import presets
from rstar_jax.evolution.config import EvolutionConfig
from rstar_jax.reproduction.plan import StudyPlan
from rstar_jax.reproduction.plans import paper_plan

BASE = "Qwen/Qwen2.5-Math-7B"


def config(seed: int = 0, preset: presets.Preset = "paper") -> EvolutionConfig:
    return presets.named(preset, "qwen2_5_math_7b", BASE, seed)


def study(preset: presets.Preset = "paper") -> StudyPlan:
    return paper_plan(config(0, preset).evaluation.search)
