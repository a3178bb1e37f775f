"""The PPM's head beside a Hugging Face folder: `value_head.bin` as the authors' code has it, or safetensors.

Both hold `v_head.summary.weight` [1, D] and `v_head.summary.bias` [1]; so may the model's own files, where training
with the authors' code leaves them.
"""

from __future__ import annotations

import os
import pickle

import jax
import numpy as np
from etils import epath
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from rstar_jax.errors import InputError
from rstar_jax.models.decoder import Params
from rstar_jax.models.pretrained.files import TensorFiles

WEIGHT, BIAS = HEAD_NAMES = ("v_head.summary.weight", "v_head.summary.bias")
SAFE, TORCH = "value_head.safetensors", "value_head.bin"


def has_value_head(folder: epath.Path, files: TensorFiles) -> bool:
    return (folder / SAFE).exists() or (folder / TORCH).exists() or WEIGHT in files.names


def read_value_head(folder: epath.Path, files: TensorFiles) -> dict[str, np.ndarray]:
    """`value_weight` [D] and `value_bias` [] in float32.

    Raises:
      InputError: there is no head, it has other keys, or it is a torch file and there is no torch.
    """
    found = _read(folder, files)
    weight, bias = (found[name].astype(np.float32) for name in HEAD_NAMES)
    return {"value_weight": weight.reshape(-1), "value_bias": bias.reshape(())}


def head_problems(folder: epath.Path, files: TensorFiles, width: int) -> list[str]:
    """What is wrong with the shapes of the head of a decoder with D = `width`; raises as `read_value_head` does."""
    wanted = {WEIGHT: (1, width), BIAS: (1,)}
    found = {name: x.shape for name, x in _read(folder, files).items()}
    wrong = [name for name in HEAD_NAMES if found[name] != wanted[name]]
    return [f"{name} is {list(found[name])}, not {list(wanted[name])}" for name in wrong]


def _read(folder: epath.Path, files: TensorFiles) -> dict[str, np.ndarray]:
    if (folder / SAFE).exists():
        where, found = folder / SAFE, _read_safe(folder / SAFE)
    elif (folder / TORCH).exists():
        where, found = folder / TORCH, _read_torch(folder / TORCH)
    elif WEIGHT in files.names:
        where, found = folder, {name: files.whole(name) for name in HEAD_NAMES if name in files.names}
    else:
        raise InputError(f"{folder} has no value head ({SAFE}, {TORCH} or {WEIGHT} in its files)")
    if set(found) != set(HEAD_NAMES):
        raise InputError(f"{where} has {', '.join(sorted(found)) or 'nothing'}, not {WEIGHT} and {BIAS}")
    return found


def write_value_head(folder: os.PathLike[str], params: Params, torch_file: bool = True) -> None:
    """Write the head in float32 as safetensors, and for the authors' code as a torch file too.

    Raises:
      InputError: a torch file is wanted and there is no torch.
    """
    outer = jax.device_get({name: params["outer"][name] for name in ("value_weight", "value_bias")})
    tensors = {
        WEIGHT: np.array(outer["value_weight"], np.float32).reshape(1, -1),
        BIAS: np.array(outer["value_bias"], np.float32).reshape(1),
    }
    save_file(tensors, os.path.join(folder, SAFE), metadata={"format": "pt"})
    if torch_file:
        torch = _torch("writing")
        torch.save({name: torch.from_numpy(x) for name, x in tensors.items()}, os.path.join(folder, TORCH))


def _read_safe(path: epath.Path) -> dict[str, np.ndarray]:
    try:
        return load_file(os.fspath(path))
    except SafetensorError as error:
        raise InputError(f"{path}: {error}") from error


def _read_torch(path: epath.Path) -> dict[str, np.ndarray]:
    torch = _torch("reading")
    try:
        found = torch.load(os.fspath(path), map_location="cpu", weights_only=True)
    except (RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise InputError(f"{path}: torch cannot read it ({str(error).splitlines()[0]})") from error
    return {name: x.float().numpy() for name, x in found.items()}


def _torch(purpose: str):
    try:
        import torch
    except ImportError as error:
        raise InputError(f"{purpose} {TORCH} needs torch (`pip install torch`); {SAFE} does not") from error
    return torch
