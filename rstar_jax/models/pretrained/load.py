"""Weights of a Hugging Face folder straight into sharded arrays.

Each device's part of a tensor is read from the file by the host that the device is on, brought to its dtype, and put
in its place; a host holds no more than one layer's part of one tensor besides what it keeps.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from etils import epath
from jax.sharding import Mesh, NamedSharding

from rstar_jax.errors import InputError
from rstar_jax.models.config import Head, ModelConfig
from rstar_jax.models.decoder import Params, init_params, logical_axes
from rstar_jax.models.pretrained.files import TensorFiles
from rstar_jax.models.pretrained.names import Index, Table, Weight, table
from rstar_jax.models.pretrained.value_head import HEAD_NAMES, head_problems, read_value_head
from rstar_jax.models.sharding import shardings
from rstar_jax.progress import tracked

_WITHOUT_EFFECT = re.compile(r".*\.rotary_emb\.inv_freq")  # that old Llama files have: frequencies are computed
_LM_HEAD = "lm_head.weight"


def load_weights(folder: epath.Path, config: ModelConfig, head: Head, mesh: Mesh, stacked: bool = True) -> Params:
    """The parameters, in `config.param_dtype`, where `models.sharding` says.

    A value head comes from the folder too (`value_head`), and the LM head that its files may have is left alone.

    Args:
      stacked: layers behind each other along N, as training takes them; else a list of layers, as an engine does.

    Raises:
      InputError: files that cannot be read, or tensors that are missing, too many or of another shape (all are named).
    """
    files, wanted = TensorFiles(folder), table(config, head)
    check(files, wanted, config, head)
    dtype = jnp.dtype(config.param_dtype)
    with jax.set_mesh(mesh):
        shapes = jax.eval_shape(lambda: init_params(config, jax.random.key(0), head))
        places, each = (shardings(logical_axes(config, head, stack), mesh) for stack in (True, False))
        outer: Params = {}
        blocks: Any = {} if stacked else [{} for _ in range(config.n_layers)]
        for weight in tracked(wanted.weights, "load", "weights", len(wanted.weights)):
            part = functools.partial(_array, files, wanted, weight, dtype)
            if not weight.in_layers:
                shape, place = weight.of(shapes["outer"]), weight.of(places["outer"])
                _put(outer, weight, part(None, shape.shape, place))
            elif stacked:
                shape, place = weight.of(shapes["blocks"]), weight.of(places["blocks"])
                _put(blocks, weight, _stack(part, shape, place, weight.of(each["blocks"][0])))
            else:
                for layer, block in enumerate(blocks):
                    shape, place = weight.of(shapes["blocks"]), weight.of(each["blocks"][layer])
                    _put(block, weight, part(layer, shape.shape[1:], place))
        if head == "value":
            values = read_value_head(folder, files)
            outer |= {name: jax.device_put(x, places["outer"][name]) for name, x in values.items()}
    return {"outer": outer, "blocks": blocks}


def check(files: TensorFiles, wanted: Table, config: ModelConfig, head: Head) -> None:
    """Raise one `InputError` about all tensors that are missing, too many, or of another shape."""
    names = {name for name in files.names if not _WITHOUT_EFFECT.fullmatch(name)}
    problems: list[str] = []
    if head == "value":
        names -= {_LM_HEAD, *HEAD_NAMES}
        problems = head_problems(files.folder, files, config.d_model)
    elif config.tie_embeddings and _LM_HEAD in names and _equals_embedding(files):
        names.remove(_LM_HEAD)
    problems += [f"no {name}" for name in wanted.parts if name not in names]
    problems += [f"{name} is not known" for name in sorted(names - set(wanted.parts))]
    for name in wanted.parts:
        if name in names and files.shape(name) != wanted.tensor_shape(name):
            problems.append(f"{name} is {list(files.shape(name))}, not {list(wanted.tensor_shape(name))}")
    if problems:
        raise InputError(f"{files.folder} does not fit its config.json ({config.family}): {'; '.join(problems)}")


def _equals_embedding(files: TensorFiles) -> bool:
    """Some files of tied models hold the head too; it must be the embedding then."""
    names = (_LM_HEAD, "model.embed_tokens.weight")
    if any(name not in files.names for name in names) or len({files.shape(name) for name in names}) > 1:
        return False
    rows = files.shape(_LM_HEAD)[0]
    parts = (slice(start, min(start + 8192, rows)) for start in range(0, rows, 8192))
    head, embedding = (lambda part, name=name: files.read(name, (part, slice(None))) for name in names)
    return all(np.array_equal(head(part), embedding(part)) for part in parts)


def _array(
    files: TensorFiles,
    wanted: Table,
    weight: Weight,
    dtype: Any,
    layer: int | None,
    shape: tuple[int, ...],
    place: NamedSharding,
) -> jax.Array:
    """One layer of a weight on its devices; rows of the vocabulary that the file does not have are zero."""

    def read(index: Index | None) -> np.ndarray:
        assert index is not None
        where = wanted.file_index(weight, index)
        lengths = [len(range(*x.indices(size))) for x, size in zip(index, shape, strict=True)]
        if any(part.start == part.stop for part in where):  # padding alone
            return np.zeros(lengths, dtype)
        part = files.read(weight.name.format(layer), where)
        part = wanted.from_file(weight, part, index).astype(dtype, order="C")
        lacking = [(0, length - found) for length, found in zip(lengths, part.shape, strict=True)]
        return np.pad(part, lacking) if np.any(lacking) else part

    return jax.make_array_from_callback(shape, place, read)


def _stack(
    part: Callable[[int, tuple[int, ...], NamedSharding], jax.Array],
    leaf: jax.ShapeDtypeStruct,
    place: NamedSharding,
    of_layer: NamedSharding,
) -> jax.Array:
    """All layers along N, each put into place as it comes."""
    stack = jax.jit(lambda: jnp.zeros(leaf.shape, leaf.dtype), out_shardings=place)()
    put = jax.jit(
        lambda stack, part, layer: jax.lax.dynamic_update_index_in_dim(stack, part, layer, 0),
        donate_argnums=0,
        out_shardings=place,
    )
    for layer in range(leaf.shape[0]):
        stack = put(stack, part(layer, leaf.shape[1:], of_layer), layer)
    return stack


def _put(tree: Params, weight: Weight, value: jax.Array) -> None:
    *path, name = weight.path
    functools.reduce(lambda found, step: found.setdefault(step, {}), path, tree)[name] = value
