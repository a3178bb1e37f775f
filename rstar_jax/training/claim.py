"""A run's folder belongs to one run: other settings or data in the same place are an error, not a mixture."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from typing import Any

import jax
import numpy as np
from etils import epath

from rstar_jax.datasets.packing import Packed
from rstar_jax.errors import InputError
from rstar_jax.files import read_json, write_json
from rstar_jax.models.config import ModelConfig
from rstar_jax.training.optimizer import TrainConfig
from rstar_jax.training.order import Plan


def fingerprint(
    config: TrainConfig, model_config: ModelConfig, dataset: Packed, steps: Plan, objective: dict[str, Any]
) -> dict[str, Any]:
    """What makes two runs the same run."""
    digest = hashlib.blake2b(digest_size=16)
    for name, array in sorted(dataset.arrays.items()):
        digest.update(name.encode())
        digest.update(np.ascontiguousarray(array).data)
    settings = dataclasses.asdict(config)
    for name in ("checkpoint_every", "log_every", "save_on_sigterm"):  # these change nothing in the result
        del settings[name]
    return {
        "train": settings,
        "model": model_config.to_json(),
        "objective": objective,
        "steps": dataclasses.asdict(steps),
        "data": digest.hexdigest(),
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
