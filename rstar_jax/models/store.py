"""Models by name: a Hugging Face folder, a Hub id, or a finished model of a run; all of them load the same way.

A finished model of a run is a folder with `params/` (Orbax), `config.json` and, where one was given, the tokenizer;
`config.json` is written last, so a folder that has it is whole. The folder `checkpoints` of a run under way is a model
too: it has the same files, and the states of the training instead of `params/`. `models.convert` turns either kind into
the other.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from typing import Any

import jax
from etils import epath
from jax.experimental import multihost_utils
from jax.sharding import Mesh
from orbax.checkpoint import v1 as ocp

from rstar_jax.errors import InputError
from rstar_jax.files import AnyPath, read_json, write_json
from rstar_jax.hub import local_folder
from rstar_jax.models.config import Head, ModelConfig
from rstar_jax.models.decoder import Params, init_params, logical_axes, unstacked
from rstar_jax.models.pretrained.config import from_hugging_face
from rstar_jax.models.pretrained.files import TensorFiles
from rstar_jax.models.pretrained.load import load_weights
from rstar_jax.models.pretrained.value_head import has_value_head
from rstar_jax.models.rope import LongRope
from rstar_jax.models.saved import newest_readable
from rstar_jax.models.sharding import AnyMesh, set_mesh, shardings
from rstar_jax.models.vocabulary import NewRows, resize
from rstar_jax.trajectory.tokenizer import Tokenizer, load_tokenizer

VOCAB_MULTIPLE = 128  # of the rows of a foreign model's embedding, so that they can be sharded


@dataclasses.dataclass(frozen=True)
class Description:
    """What a model's `config.json` says. settings: of the training that made it, such as a PPM's `squash`."""

    folder: epath.Path
    config: ModelConfig
    head: Head
    settings: dict[str, Any]
    is_run: bool  # saved by `save_model`


def save_model(
    folder: AnyPath,
    config: ModelConfig,
    head: Head,
    params: Params,
    tokenizer: Tokenizer | None = None,
    **settings: Any,
) -> None:
    """Write a finished model; `settings` go into `config.json` beside the architecture."""
    folder = epath.Path(folder).absolute()
    ocp.save(folder / "params", params, overwrite=True)
    describe_model(folder, config, head, tokenizer, **settings)


def describe_model(
    folder: AnyPath, config: ModelConfig, head: Head, tokenizer: Tokenizer | None = None, **settings: Any
) -> None:
    """Write what a model's folder has besides its weights. With several processes the first writes, and all wait."""
    folder = epath.Path(folder)
    if jax.process_index() == 0:
        folder.mkdir(parents=True, exist_ok=True)
        if tokenizer is not None:
            tokenizer.save(folder)
        write_json(folder / "config.json", {"model": config.to_json(), "head": head, **settings})
    if jax.process_count() > 1:
        multihost_utils.sync_global_devices(f"{folder} is described")


def is_finished(folder: AnyPath) -> bool:
    """Whether `save_model` has completed here."""
    return (epath.Path(folder) / "config.json").exists()


def describe(name: AnyPath, *, dtype: str | None = None, max_length: int | None = None) -> Description:
    """What the model is, without its weights; the arguments are those of `load_model`.

    Raises:
      InputError: there is no model of this name, or its architecture is not supported.
    """
    folder = local_folder(name, weights=False)
    path = folder / "config.json"
    if not path.exists():
        saved = folder / "checkpoints"
        under_way = f"; its training is under way, and the newest it has saved is {saved}"
        raise InputError(
            f"{folder} holds no model (no config.json){under_way if (saved / 'config.json').exists() else ''}"
        )
    found = read_json(path)
    if "model" in found and "head" in found:
        config = ModelConfig.from_json(found["model"])
        changes: dict[str, Any] = {} if dtype is None else {"param_dtype": dtype, "compute_dtype": dtype}
        _check_factors(config, max_length, path)
        settings = {name: value for name, value in found.items() if name not in ("model", "head")}
        return Description(folder, dataclasses.replace(config, **changes), found["head"], settings, True)
    if "model_type" not in found:
        raise InputError(f"{path} is neither of a Hugging Face model nor of one that rstar_jax has trained")
    config = from_hugging_face(found, path, dtype=dtype, max_length=max_length)
    folder, settings = local_folder(name), dict(found.get("rstar_jax") or {})
    head: Head = "value" if has_value_head(folder, TensorFiles(folder)) else "lm"
    settings.pop("head", None)
    tied = settings.pop("tie_word_embeddings", config.tie_embeddings)  # exported PPMs say that they are
    config = dataclasses.replace(config, vocab_multiple=VOCAB_MULTIPLE, tie_embeddings=tied)
    return Description(folder, config, head, settings, False)


def _check_factors(config: ModelConfig, max_length: int | None, path: epath.Path) -> None:
    """A model that was trained with the short factors of longrope is another one with the long ones."""
    scaling = config.rope_scaling
    if not isinstance(scaling, LongRope) or not max_length:
        return
    trained = scaling.is_long(config.max_length)
    if scaling.is_long(max_length) != trained:
        kind = "long" if trained else "short"
        raise InputError(f"{path}: trained with the {kind} factors of longrope, so not for {max_length} tokens")


def load_model(
    name: AnyPath,
    mesh: Mesh | None = None,
    *,
    dtype: str | None = None,
    max_length: int | None = None,
    stacked: bool = True,
) -> tuple[ModelConfig, Params]:
    """A model's architecture and weights, without anything of its optimizer.

    Args:
      name: a folder of either kind (`…/checkpoints` of a run under way too), or a Hub id.
      mesh: where the weights go; by default the one that is set. Each host reads its devices' parts only.
      dtype: of parameters and computation; by default as stored.
      max_length: the longest context that it will be used with; see `pretrained.config.from_hugging_face`.
      stacked: layers behind each other along N, as training takes them; else a list, as an engine holds them.

    Raises:
      InputError: there is no such model, or it is not supported, incomplete or damaged.
    """
    found, mesh = describe(name, dtype=dtype, max_length=max_length), mesh or jax.sharding.get_mesh()
    if not found.is_run:
        return found.config, load_weights(found.folder, found.config, found.head, mesh, stacked)
    abstract = abstract_params(found.config, found.head, mesh)
    params = _saved_params(found.folder, abstract)
    if stacked:
        return found.config, params
    with jax.set_mesh(mesh):
        return found.config, jax.jit(functools.partial(unstacked, found.config))(params)


def _saved_params(folder: epath.Path, abstract: Params) -> Params:
    """Of a finished model, or of the newest state of a training that is under way, without its optimizer."""
    if (folder / "params").exists():
        return ocp.load(folder.absolute() / "params", abstract)
    state = newest_readable(folder, {"params": abstract}, partial=True)
    if state is None:
        raise InputError(f"{folder} holds no weights that can be read")
    return state["params"]


def abstract_params(config: ModelConfig, head: Head, mesh: AnyMesh) -> Params:
    """Shapes, dtypes and resting places of a model's parameters, without arrays."""
    with set_mesh(mesh):
        shapes = jax.eval_shape(lambda: init_params(config, jax.random.key(0), head))
    return jax.tree.map(
        lambda leaf, sharding: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=sharding),
        shapes,
        shardings(logical_axes(config, head), mesh),
    )


def load_base(
    name: AnyPath,
    tags: Sequence[str],
    mesh: Mesh | None = None,
    *,
    weights: str | None = None,
    compute: str | None = None,
    max_length: int | None = None,
    new_rows: NewRows = "released",
) -> tuple[ModelConfig, Params, Tokenizer]:
    """A policy to train from, with `tags` in its tokenizer and its embeddings cut or extended to what that has.

    Args:
      tags: `trajectory.tags.POLICY_TOKENS` or `REWARD_TOKENS`.
      weights, compute: dtypes; by default as the model is stored.
      max_length, new_rows: see `load_model` and `vocabulary.resize`.

    Raises:
      InputError: as `load_model`; or the model is a PPM, or has no tokenizer.
    """
    mesh = mesh or jax.sharding.get_mesh()
    found = describe(name)
    if found.head != "lm":
        raise InputError(f"{name} is a PPM; training starts from a language model")
    known, tokenizer = load_tokenizer(name).vocab_size, load_tokenizer(name, tags)
    if known > found.config.vocab_size:
        raise InputError(f"{name}: {known} tokens, but embeddings for {found.config.vocab_size} only")
    config, params = load_model(name, mesh, dtype=weights, max_length=max_length)
    config = dataclasses.replace(
        config, compute_dtype=compute or found.config.compute_dtype, vocab_multiple=VOCAB_MULTIPLE
    )
    with jax.set_mesh(mesh):
        config, params = resize(config, params, tokenizer.vocab_size, known, new_rows=new_rows)
    return config, params, tokenizer
