"""A run's folder belongs to one run: other settings or data in the same place are an error, not a mixture."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import jax
from etils import epath

from rstar_jax.datasets.packed import PackedData
from rstar_jax.errors import InputError
from rstar_jax.files import read_json, write_json
from rstar_jax.models.config import ModelConfig
from rstar_jax.training.optimizer import TrainConfig
from rstar_jax.training.order import Plan


def fingerprint(
    config: TrainConfig, model_config: ModelConfig, dataset: PackedData, steps: Plan, objective: dict[str, Any]
) -> dict[str, Any]:
    """What makes two runs the same run."""
    settings = dataclasses.asdict(config)
    free = ("checkpoint_every", "log_every", "save_on_sigterm")  # these change nothing in the result
    for name in (*free, "max_steps"):  # the plan says the number of steps
        del settings[name]
    return {
        "train": settings,
        "model": model_config.to_json(),
        "objective": objective,
        "steps": dataclasses.asdict(steps),
        "data": dataset.fingerprint(),
    }


def claim(workdir: epath.Path, run: dict[str, Any]) -> None:
    """Write down what run this folder belongs to, or check that it belongs to this one."""
    path = workdir / "run.json"
    if not path.exists():
        if jax.process_index() == 0:
            write_json(path, run)
        return
    found = read_json(path)
    changed = [name for name in run if found.get(name) != json.loads(json.dumps(run[name]))]
    if changed:
        raise InputError(
            f"{workdir} belongs to another run (its {', '.join(changed)} differ); choose another folder"
        )
