"""Rows of data in the released formats, one at a time, however large the files are.

A source is a file, a folder of files, or the id of a data set on the Hugging Face Hub. Files are JSON (one array of
rows), JSON lines or Parquet; which of the first two a file is tells its first character, not its name, since both go by
`.json` on the Hub. The authors' own data are `RSTAR_SFT` and `RSTAR_PPM`.
"""

from __future__ import annotations

import pathlib
from collections.abc import Iterable, Iterator
from typing import Any

import ijson
import pyarrow
import pyarrow.parquet

from rstar_jax.errors import InputError
from rstar_jax.files import iterate_jsonl
from rstar_jax.hub import local_path

RSTAR_SFT = "ElonTusk2001/rstar_sft"  # as linked from the README of microsoft/rStar, branch rStar-math
RSTAR_PPM = "ElonTusk2001/rstar_ppm"

Row = dict[str, Any]

_ENDINGS = (".json", ".jsonl", ".parquet")
_ROWS_AT_ONCE = 256  # of a Parquet file
_BYTES_AT_ONCE = 1 << 16  # of a JSON file


def find_files(source: str) -> list[pathlib.Path]:
    """The data files of a source, in order of their names; those of a Hub data set are downloaded into its cache.

    Raises InputError: there is no such file, folder or data set, the Hub cannot be reached and its cache has no copy,
    or there are no data files.
    """
    path = pathlib.Path(local_path(source, "dataset", [f"*{ending}" for ending in _ENDINGS]))
    if path.is_file():
        if path.suffix not in _ENDINGS:
            raise InputError(f"{source}: data files end in {', '.join(_ENDINGS)}")
        return [path]
    files = sorted(file for file in path.rglob("*") if file.suffix in _ENDINGS)
    if not files:
        raise InputError(f"{source}: no data files ({', '.join(_ENDINGS)}) in it")
    return files


def sft_rows(files: Iterable[pathlib.Path]) -> Iterator[Row]:
    """Rows {"query", "response"}.

    Raises InputError with file and row: not an object, a field that is missing or of a wrong type, malformed JSON.
    """
    return _checked(files, texts=("query", "response"), counts=())


def pair_rows(files: Iterable[pathlib.Path]) -> Iterator[Row]:
    """Rows {"prompt", "pos", "neg", "pos_count", "neg_count"}, and "problem" where it is given, as in our own data.

    Prompts are whole and used as they are. Raises as `sft_rows` does, and for counts below one.
    """
    return _checked(files, texts=("prompt", "pos", "neg"), counts=("pos_count", "neg_count"))


def value_rows(files: Iterable[pathlib.Path]) -> Iterator[Row]:
    """Rows {"query", "steps", "q"} of `baselines.pqm_rows`: texts of steps, and a value in [-1, 1] for each.

    Raises as `sft_rows` does, and for steps and values that do not go together.
    """
    for file in files:
        for where, row in _rows(file):
            if not isinstance(row, dict):
                raise InputError(f"{where}: not an object with query, steps, q")
            steps, q = _field(row, "steps", where), _field(row, "q", where)
            if not (isinstance(steps, list) and steps and isinstance(q, list) and len(steps) == len(q)):
                raise InputError(f'{where}: "steps" and "q" are not lists of one length')
            checked = [_text({"steps": step}, "steps", where) for step in steps]
            if not all(isinstance(value, int | float) and -1 <= value <= 1 for value in q):
                raise InputError(f'{where}: "q" holds what is no number from -1 to 1')
            yield {"query": _text(row, "query", where), "steps": checked, "q": [float(value) for value in q]}


# --- Files --------------------------------------------------------------------------------------------


def _rows(file: pathlib.Path) -> Iterator[tuple[str, Any]]:
    """Every row, and where it stands in words."""
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


# --- Rows ---------------------------------------------------------------------------------------------


def _checked(files: Iterable[pathlib.Path], texts: tuple[str, ...], counts: tuple[str, ...]) -> Iterator[Row]:
    for file in files:
        for where, row in _rows(file):
            if not isinstance(row, dict):
                raise InputError(f"{where}: not an object with {', '.join((*texts, *counts))}")
            kept = {name: _text(row, name, where) for name in texts} | {
                name: _count(row, name, where) for name in counts
            }
            yield kept | {name: row[name] for name in ("problem",) if name in row}


def _text(row: Row, name: str, where: str) -> str:
    value = _field(row, name, where)
    if not isinstance(value, str) or not value:
        raise InputError(f'{where}: "{name}" is {"empty" if value == "" else "not text"}')
    try:
        value.encode()
    except UnicodeEncodeError:
        raise InputError(f'{where}: "{name}" holds half of a surrogate pair, which no tokenizer reads') from None
    return value


def _count(row: Row, name: str, where: str) -> int:
    value = _field(row, name, where)
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise InputError(f'{where}: "{name}" is not a number of 1 or more')
    return value


def _field(row: Row, name: str, where: str) -> Any:
    if row.get(name) is None:
        raise InputError(f'{where}: no "{name}"')
    return row[name]
