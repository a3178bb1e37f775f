"""Rows of published data, one at a time, however large the files are.

A source is a file, a folder of files, or the id of a data set on the Hugging Face Hub. Files are JSON (one array of
rows), JSON lines or Parquet; which of the first two a file is tells its first character, not its name, since both go by
`.json` on the Hub.
"""

from __future__ import annotations

import fnmatch
import pathlib
from collections.abc import Iterator, Sequence
from typing import Any

import ijson
import pyarrow
import pyarrow.parquet

from rstar_jax.errors import InputError
from rstar_jax.files import iterate_jsonl
from rstar_jax.hub import local_path

Row = dict[str, Any]

_ENDINGS = (".json", ".jsonl", ".parquet")
_ALL = tuple(f"*{ending}" for ending in _ENDINGS)
_ROWS_AT_ONCE = 256  # of a Parquet file
_BYTES_AT_ONCE = 1 << 16  # of a JSON file


def find_files(source: str, patterns: Sequence[str] = _ALL) -> list[pathlib.Path]:
    """The data files of a source, in order of their names; those of a Hub data set are downloaded into its cache.

    patterns: which files of a Hub data set or a folder, by their paths in it.

    Raises InputError: there is no such file, folder or data set, the Hub cannot be reached and its cache has no copy,
    or there are no data files.
    """
    path = pathlib.Path(local_path(source, "dataset", patterns))
    if path.is_file():
        if path.suffix not in _ENDINGS:
            raise InputError(f"{source}: data files end in {', '.join(_ENDINGS)}")
        return [path]
    files = sorted(file for file in path.rglob("*") if _matches(file.relative_to(path), patterns))
    if not files:
        raise InputError(f"{source}: no data files ({', '.join(patterns)}) in it")
    return files


def _matches(file: pathlib.PurePath, patterns: Sequence[str]) -> bool:
    """As the Hub does it: a star stands for anything, folders included."""
    return file.suffix in _ENDINGS and any(fnmatch.fnmatch(file.as_posix(), pattern) for pattern in patterns)


def iterate_rows(file: pathlib.Path) -> Iterator[tuple[str, Any]]:
    """Every row of a file, and where it stands in words.

    Raises InputError with file and row: malformed JSON or Parquet.
    """
    if file.suffix == ".parquet":
        return _parquet_rows(file)
    with file.open("rb") as opened:
        start = opened.read(_BYTES_AT_ONCE).removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
    if start == b"[":
        return _array_rows(file)
    return ((f"{file}, line {number}", row) for number, row in iterate_jsonl(file))


def _array_rows(file: pathlib.Path) -> Iterator[tuple[str, Any]]:
    """The rows of an array. Half of a surrogate pair, which is no character, is read as "?" by the parser itself."""
    number = 0
    with file.open("rb") as opened:
        try:
            for number, row in enumerate(ijson.items(opened, "item", buf_size=_BYTES_AT_ONCE, use_float=True), start=1):
                yield f"{file}, row {number}", row
        except ijson.JSONError as error:
            reason = " ".join(str(error).split())
            raise InputError(f"{file}, row {number + 1}: not valid JSON ({reason})") from None


def _parquet_rows(file: pathlib.Path) -> Iterator[tuple[str, Any]]:
    number = 0
    try:
        with pyarrow.parquet.ParquetFile(file) as opened:
            for batch in opened.iter_batches(_ROWS_AT_ONCE):
                for row in batch.to_pylist():
                    number += 1
                    yield f"{file}, row {number}", row
    except pyarrow.ArrowException as error:
        raise InputError(f"{file}, row {number + 1}: not readable as Parquet ({error})") from None
