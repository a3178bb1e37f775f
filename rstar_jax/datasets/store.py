"""Packed data on disk, for data that do not fit in memory.

A store is a folder with a flat file for each array of the segments (`tokens.bin`, …), all segments one behind the
other, and what packing came to: which segment stands in which row. Writing keeps some 40 bytes a segment in memory and
nothing else; reading maps the files and puts rows together when they are asked for, by the same `fill_row` as data in
memory.
"""

from __future__ import annotations

import array
import contextlib
import hashlib
import pathlib
from collections.abc import Iterable

import numpy as np
from jaxtyping import Int

from rstar_jax.datasets.packed import Layout, Segment, fill_row
from rstar_jax.datasets.packing import place
from rstar_jax.files import read_json, write_json


class StoreWriter:
    """Writes a store. Use as a context manager: leaving without an exception packs the segments.

    The files appear one by one; whoever wants the store whole or absent gives a folder of `files.atomic_directory`.
    """

    def __init__(self, folder: pathlib.Path, layout: Layout, row_length: int, seed: int):
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self._dtypes = folder, layout.by_token | layout.by_pair
        self._row_length, self._seed = row_length, seed
        self._stack = contextlib.ExitStack()
        self._files = {name: self._stack.enter_context(_file(folder, name).open("wb")) for name in self._dtypes}
        self._digests = {name: hashlib.blake2b(digest_size=16) for name in self._dtypes}
        self._lengths, self._pairs = array.array("q"), array.array("q")
        self._examples = self._dropped = 0

    def __enter__(self) -> StoreWriter:
        return self

    def __exit__(self, failed: type[BaseException] | None, *_: object) -> None:
        self._stack.close()
        if failed is None:
            self._finish()

    def add(self, segments: Iterable[Segment], dropped: int = 0) -> None:
        """Append segments, and count `dropped` examples that never became one.

        A segment that is longer than a row is dropped as well: it keeps its number, on which the order of packing
        depends, but not its tokens.
        """
        self._dropped += dropped
        for segment in segments:
            fits = segment.length <= self._row_length
            self._lengths.append(segment.length)
            self._pairs.append(segment.n_pairs if fits else 0)
            self._examples += segment.examples if fits else 0
            self._dropped += 0 if fits else segment.examples
            for name, values in (segment.by_token | segment.by_pair).items() if fits else ():
                written = values.astype(self._dtypes[name]).tobytes()
                self._files[name].write(written)
                self._digests[name].update(written)

    def _finish(self) -> None:
        lengths, pairs = np.asarray(self._lengths), np.asarray(self._pairs)
        placement = place(lengths, self._row_length, self._seed)
        pairs_before = np.cumsum(pairs[placement.members])[placement.ends - 1]
        index = {
            "token_offsets": _offsets(np.cumsum(np.where(lengths <= self._row_length, lengths, 0))),
            "pair_offsets": _offsets(np.cumsum(pairs)),
            "members": placement.members,
            "row_offsets": _offsets(placement.ends),
        }
        for name, values in index.items():
            np.save(self._folder / f"{name}.npy", values)
        content = [self._row_length, *(self._digests[name].hexdigest() for name in sorted(self._digests))]
        content += [hashlib.blake2b(index[name].tobytes(), digest_size=16).hexdigest() for name in sorted(index)]
        about = {
            "row_length": self._row_length,
            "pairs_of_fullest_row": int(np.diff(pairs_before, prepend=0).max(initial=0)),
            "examples": self._examples,
            "dropped": self._dropped,
            "fingerprint": hashlib.blake2b(repr(content).encode(), digest_size=16).hexdigest(),
        }
        write_json(self._folder / "store.json", about)


class TokenStore:
    """A finished store as `PackedData`. The fingerprint was taken while it was written."""

    def __init__(self, folder: pathlib.Path, layout: Layout):
        self._layout, self._about = layout, read_json(folder / "store.json")
        names = ("token_offsets", "pair_offsets", "members", "row_offsets")
        self._token_offsets, self._pair_offsets, self._members, self._row_offsets = (
            np.load(folder / f"{name}.npy", mmap_mode="r") for name in names
        )
        self._by_token, self._by_pair = (
            {name: _mapped(_file(folder, name), dtype) for name, dtype in arrays.items()}
            for arrays in (layout.by_token, layout.by_pair)
        )

    @property
    def n_rows(self) -> int:
        return len(self._row_offsets) - 1

    @property
    def examples(self) -> int:
        return self._about["examples"]

    @property
    def dropped(self) -> int:
        return self._about["dropped"]

    @property
    def fill(self) -> float:
        return len(self._by_token["tokens"]) / max(self.n_rows * self._about["row_length"], 1)

    def fingerprint(self) -> str:
        return self._about["fingerprint"]

    def rows(self, indices: Int[np.ndarray, " B"]) -> dict[str, np.ndarray]:
        about = self._about
        rows = self._layout.zeros(len(indices), about["row_length"], about["pairs_of_fullest_row"])
        for row, index in enumerate(indices):
            if index >= 0:
                members = self._members[self._row_offsets[index] : self._row_offsets[index + 1]]
                segments = [self._segment(member) for member in members]
                fill_row({name: values[row] for name, values in rows.items()}, segments)
        return rows

    def _segment(self, index: int) -> Segment:
        tokens = slice(*self._token_offsets[index : index + 2])
        pairs = slice(*self._pair_offsets[index : index + 2])
        return Segment(
            {name: values[tokens] for name, values in self._by_token.items()},
            {name: values[pairs] for name, values in self._by_pair.items()},
        )


def _offsets(ends: np.ndarray) -> np.ndarray:
    return np.concatenate([np.zeros(1, np.int64), ends])


def _file(folder: pathlib.Path, name: str) -> pathlib.Path:
    return folder / f"{name}.bin"


def _mapped(path: pathlib.Path, dtype: np.dtype) -> np.ndarray:
    """The file as an array; an empty file, which cannot be mapped, as an empty one."""
    return np.memmap(path, dtype, mode="r") if path.stat().st_size else np.zeros(0, dtype)
