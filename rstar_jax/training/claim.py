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

# How a run is carried out. These, like the mesh, change its result by no more than rounding.
_FREE = (
    "microbatches",
    "remat",
    "loss_chunk",
    "checkpoint_every",
    "log_every",
    "save_on_sigterm",
    "grace_seconds",
    "profile_step",
    "profile_steps",
)


def fingerprint(
    config: TrainConfig, model_config: ModelConfig, dataset: PackedData, steps: Plan, objective: dict[str, Any]
) -> dict[str, Any]:
    """What makes two runs the same run."""
    settings = dataclasses.asdict(config)
    for name in (*_FREE, "max_steps"):  # the plan says the number of steps
        del settings[name]
    return {
        "train": settings,
        "model": model_config.to_json(),
        "objective": objective,
        "steps": dataclasses.asdict(steps),
        "data": dataset.fingerprint(),
    }


def begun_with(workdir: epath.Path) -> int | None:
    """Rows per step of the run that this folder belongs to, if it belongs to one."""
    path = workdir / "run.json"
    return read_json(path).get("steps", {}).get("rows_per_step") if path.exists() else None


def claim(workdir: epath.Path, run: dict[str, Any]) -> None:
    """Write down what run this folder belongs to, or check that it belongs to this one."""
    path = workdir / "run.json"
    if not path.exists():
        if jax.process_index() == 0:
            write_json(path, run)
        return
    found = read_json(path)
    changed = [name for name in run if found.get(name) != json.loads(json.dumps(run[name]))]
    if changed == ["steps"]:
        raise InputError(_about_steps(workdir, found["steps"], run["steps"]))
    if changed:
        raise InputError(
            f"{workdir} belongs to another run (its {', '.join(changed)} differ); choose another folder"
        )


def _about_steps(workdir: epath.Path, found: dict[str, int], wanted: dict[str, int]) -> str:
    before, now = found["rows_per_step"], wanted["rows_per_step"]
    if before == now:
        return (
            f"{workdir} belongs to a run of {found['n_steps']} steps, not {wanted['n_steps']}; choose another folder"
        )
    return (
        f"{workdir} was begun with {before} rows per step, which this mesh and its microbatches do not divide; "
        f"choose them so that data * fsdp * microbatches does, or another folder"
    )
