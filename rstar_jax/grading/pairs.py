"""Labelled pairs: a gold answer, a prediction, and whether they should match."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

from rstar_jax.errors import InputError


@dataclasses.dataclass(frozen=True)
class Pair:
    """One question to a grader; `match` is None without a label."""

    gold: str
    pred: str
    match: bool | None
    kind: str


def load(path: Path, labelled: bool) -> list[Pair]:
    """The pairs of a JSONL file. InputError on the first line that is none."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: is not UTF-8 text") from error
    lines = text.split("\n")  # splitlines would also split at the line separators inside strings
    pairs = [_pair(line, f"{path}, line {n}", labelled) for n, line in enumerate(lines, 1) if line.strip()]
    if not pairs:
        raise InputError(f"{path}: holds no pairs")
    return pairs


def _pair(line: str, where: str, labelled: bool) -> Pair:
    try:
        row = json.loads(line)
    except ValueError as error:
        raise InputError(f"{where}: is not JSON: {error}") from error
    if not isinstance(row, dict):
        raise InputError(f"{where}: is not a JSON object")
    gold, pred, match = row.get("gold"), row.get("pred"), row.get("match")
    if isinstance(gold, list) and all(isinstance(g, str) for g in gold):
        gold = repr(gold)
    pred = "" if pred is None and "pred" in row else pred
    if not isinstance(gold, str) or not isinstance(pred, str):
        raise InputError(f"{where}: needs the texts `gold` and `pred`")
    if labelled and not isinstance(match, bool):
        raise InputError(f"{where}: needs `match`, true or false")
    return Pair(gold, pred, match if labelled else None, str(row.get("kind", row.get("name", ""))))
