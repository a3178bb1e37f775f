"""The safetensors files of a folder as one mapping from names to tensors, of which parts are read."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from etils import epath
from safetensors import SafetensorError, safe_open

from rstar_jax.errors import InputError
from rstar_jax.files import read_json

_PREFIX = "pretrained_model."  # of the decoder's tensors where the authors' code trained a reward model
INDEX = "model.safetensors.index.json"
SINGLE = "model.safetensors"


class TensorFiles:
    """Names, shapes and parts of a folder's tensors.

    Files are opened anew for every part: a mapping that stays open counts all that was ever read as memory in use.
    """

    def __init__(self, folder: epath.Path):
        self.folder = folder
        stored = self._index()
        self._stored = {name.removeprefix(_PREFIX): name for name in stored}
        if len(self._stored) < len(stored):
            raise InputError(f"{folder} has tensors with and without the prefix {_PREFIX}")
        self._files = {name: stored[self._stored[name]] for name in self._stored}
        self._shapes: dict[str, tuple[int, ...]] = {}
        for file in sorted(set(self._files.values())):
            self._read_header(file)

    @property
    def names(self) -> set[str]:
        return set(self._files)

    def shape(self, name: str) -> tuple[int, ...]:
        return self._shapes[name]

    def read(self, name: str, index: Sequence[slice]) -> np.ndarray:
        """A part of a tensor, in its own dtype."""
        with self._open(self._files[name]) as file:
            return file.get_slice(self._stored[name])[tuple(index)]

    def whole(self, name: str) -> np.ndarray:
        return self.read(name, [slice(0, size) for size in self.shape(name)])

    def _index(self) -> dict[str, str]:
        """The file of each tensor."""
        folder = self.folder
        if "://" in os.fspath(folder):
            raise InputError(f"{folder}: Hugging Face files are read from local folders; copy it here first")
        if (folder / INDEX).exists():
            found = read_json(folder / INDEX)
            if not isinstance(found, dict) or not isinstance(found.get("weight_map"), dict):
                raise InputError(f"{folder / INDEX} has no weight_map")
            return found["weight_map"]
        if (folder / SINGLE).exists():
            with self._open(SINGLE) as file:
                return dict.fromkeys(file.keys(), SINGLE)
        if any(folder.glob("pytorch_model*.bin")):
            raise InputError(f"{folder} has its weights as pytorch_model.bin; convert them to safetensors first")
        raise InputError(f"{folder} holds no weights ({SINGLE}, or several files and {INDEX})")

    def _read_header(self, file: str) -> None:
        with self._open(file) as opened:
            here = set(opened.keys())
            for name in here:
                self._shapes[name.removeprefix(_PREFIX)] = tuple(opened.get_slice(name).get_shape())
        lost = {self._stored[name] for name, where in self._files.items() if where == file} - here
        unlisted = here - set(self._stored.values())
        if unlisted:
            raise InputError(f"{self.folder / file}: {', '.join(sorted(unlisted))} not in {INDEX}")
        if lost:
            raise InputError(f"{self.folder / file}: no {', '.join(sorted(lost))}, which {INDEX} says it has")

    @contextlib.contextmanager
    def _open(self, file: str) -> Iterator[Any]:
        path = self.folder / file
        try:
            with safe_open(os.fspath(path), "numpy") as opened:
                yield opened
        except FileNotFoundError as error:
            raise InputError(f"{path} is missing") from error
        except SafetensorError as error:
            raise InputError(f"{path}: {error}") from error


