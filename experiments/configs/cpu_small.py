"""A smaller base model for the built-in example, trained once on what the run of `cpu` has found in round 4, and guided
by its PPM: what the paper does with its other base models (section 4.1).

    python experiments/start_from.py --config cpu_small --other runs/cpu-s0
    python experiments/evolve.py --config cpu_small

`reproduce_all.py --config cpu` does both. Hardware: two CPU cores, four minutes.
"""

import dataclasses
import importlib.util
import pathlib

from rstar_jax.evolution import presets
from rstar_jax.evolution.config import EvolutionConfig


def config(seed: int = 0) -> EvolutionConfig:
    whole = _cpu().config(seed)
    model = dataclasses.replace(whole.model, d_model=48, n_layers=2, n_heads=3, n_kv_heads=3, d_ff=144)
    return dataclasses.replace(presets.derived(whole), name="cpu_small", model=model)


def _cpu():
    """The config next to this one; configs are files, not modules of a package."""
    path = pathlib.Path(__file__).with_name("cpu.py")
    spec = importlib.util.spec_from_file_location("cpu", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
