"""What training leaves on disk: states to resume from, and the finished model.

A state is saved in the background while training goes on. Restoring takes the newest save that can be read;
one that was damaged is skipped with a warning. A finished model is a folder with `params/` (Orbax),
`config.json` and, where one was given, the tokenizer; `config.json` is written last, so a folder that has it
is whole.
"""

from __future__ import annotations

import dataclasses
import warnings
from typing import Any

import jax
from etils import epath
from jax.sharding import Mesh
from orbax.checkpoint import v1 as ocp

from rstar_jax.errors import InputError
from rstar_jax.files import AnyPath, read_json, write_json
from rstar_jax.models.config import Head, ModelConfig
from rstar_jax.models.decoder import Params, init_params, logical_axes
from rstar_jax.models.sharding import shardings
from rstar_jax.trajectory.tokenizer import Tokenizer

_KEPT_STATES = 2  # the newest and, should it be damaged, the one before


class Checkpoints:
    """The saved states of a training run. Use as a context manager: leaving waits for the save under way."""

    def __init__(self, folder: AnyPath):
        keep = ocp.training.preservation_policies.LatestN(_KEPT_STATES)
        self._checkpointer = ocp.training.Checkpointer(
            epath.Path(folder).absolute(),
            preservation_policy=keep,  # pyright: ignore[reportArgumentType]  # Orbax's own class
            cleanup_tmp_directories=True,
        )

    def __enter__(self) -> Checkpoints:
        return self

    def __exit__(self, *_: object) -> None:
        self._checkpointer.close()

    def save(self, step: int, state: Any) -> None:
        """Start saving, after an earlier save is done; when this returns, `state` may be donated."""
        # A save of this step that exists already could not be restored, or it would have been started from.
        self._checkpointer.save_async(step, state, force=True, overwrite=True)

    def restore(self, abstract: Any) -> Any | None:
        """The newest state that can be read, on the devices that `abstract` names; None if there is none."""
        for saved in reversed(self._checkpointer.checkpoints):
            try:
                return self._checkpointer.load(saved.step, abstract)
            except Exception as error:  # Orbax and TensorStore have no common error for a damaged save
                warnings.warn(f"{saved.path} cannot be restored and is skipped: {error}", stacklevel=2)
        return None


def save_model(
    folder: AnyPath,
    config: ModelConfig,
    head: Head,
    params: Params,
    tokenizer: Tokenizer | None = None,
    **extra: Any,
) -> None:
    """Write a finished model; `extra` goes into `config.json` beside the architecture."""
    folder = epath.Path(folder).absolute()
    ocp.save(folder / "params", params, overwrite=True)
    if tokenizer is not None:
        tokenizer.save(folder)
    write_json(folder / "config.json", {"model": dataclasses.asdict(config), "head": head, **extra})


def is_finished(folder: AnyPath) -> bool:
    """Whether `save_model` has completed here."""
    return (epath.Path(folder) / "config.json").exists()


def read_model_config(folder: AnyPath) -> tuple[ModelConfig, Head]:
    """Architecture and head of a finished model. Raises `InputError` if the folder holds none."""
    path = epath.Path(folder) / "config.json"
    if not path.exists():
        raise InputError(f"{folder} holds no trained model (no config.json)")
    found = read_json(path)
    if "model" not in found or "head" not in found:
        raise InputError(f"{path} was not written by rstar_jax")
    return ModelConfig(**found["model"]), found["head"]


def load_model(folder: AnyPath, mesh: Mesh | None = None) -> tuple[ModelConfig, Params]:
    """A finished model's architecture and weights, without anything of its optimizer.

    The weights come onto `mesh`, by default the one that is set. Raises `InputError` if the folder holds no
    model.
    """
    config, head = read_model_config(folder)
    mesh = mesh or jax.sharding.get_mesh()
    return config, ocp.load(epath.Path(folder).absolute() / "params", abstract_params(config, head, mesh))


def abstract_params(config: ModelConfig, head: Head, mesh: Mesh) -> Params:
    """Shapes, dtypes and resting places of a model's parameters, without arrays."""
    with jax.set_mesh(mesh):
        shapes = jax.eval_shape(lambda: init_params(config, jax.random.key(0), head))
    return jax.tree.map(
        lambda leaf, sharding: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=sharding),
        shapes,
        shardings(logical_axes(config, head), mesh),
    )
