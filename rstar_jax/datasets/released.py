"""Rows of data in the released formats, one at a time, however large the files are.

Files are those of `rstar_jax.rows`. The authors' own data are `RSTAR_SFT` and `RSTAR_PPM`.
"""

from __future__ import annotations

import pathlib
from collections.abc import Iterable, Iterator
from typing import Any

from rstar_jax.errors import InputError
from rstar_jax.rows import Row, iterate_rows

RSTAR_SFT = "ElonTusk2001/rstar_sft"  # as linked from the README of microsoft/rStar, branch rStar-math
RSTAR_PPM = "ElonTusk2001/rstar_ppm"


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
        for where, row in iterate_rows(file):
            if not isinstance(row, dict):
                raise InputError(f"{where}: not an object with query, steps, q")
            steps, q = _field(row, "steps", where), _field(row, "q", where)
            if not (isinstance(steps, list) and steps and isinstance(q, list) and len(steps) == len(q)):
                raise InputError(f'{where}: "steps" and "q" are not lists of one length')
            checked = [_text({"steps": step}, "steps", where) for step in steps]
            if not all(isinstance(value, int | float) and -1 <= value <= 1 for value in q):
                raise InputError(f'{where}: "q" holds what is no number from -1 to 1')
            yield {"query": _text(row, "query", where), "steps": checked, "q": [float(value) for value in q]}


def _checked(files: Iterable[pathlib.Path], texts: tuple[str, ...], counts: tuple[str, ...]) -> Iterator[Row]:
    for file in files:
        for where, row in iterate_rows(file):
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
