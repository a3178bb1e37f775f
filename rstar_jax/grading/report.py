"""Figures of a grader on pairs: accuracy, false positives and negatives by kind, and times."""

from __future__ import annotations

import collections
import dataclasses
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rstar_jax.errors import InputError
from rstar_jax.grading.extract import Semantics
from rstar_jax.grading.pool import GraderPool


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


def score_both(pairs: Sequence[Pair], time_limit_s: float = 3.0) -> dict[str, Any]:
    """The figures of the strict and of the released grader."""
    return {semantics: score(pairs, semantics, time_limit_s) for semantics in ("strict", "released")}


def score(pairs: Sequence[Pair], semantics: Semantics, time_limit_s: float = 3.0) -> dict[str, Any]:
    """Verdicts and times of one grader, without its cache."""
    kinds: dict[str, collections.Counter[str]] = {}
    times = []
    with GraderPool(semantics, time_limit_s, cache_size=0) as grader:
        grader.start()
        for pair in pairs:
            began = time.perf_counter()
            said = grader.grade_sync(pair.pred, pair.gold)
            times.append(time.perf_counter() - began)
            kinds.setdefault(pair.kind, collections.Counter())[_outcome(said, pair.match)] += 1
        stats = dataclasses.asdict(grader.stats)
    total: collections.Counter[str] = collections.Counter()
    for counts in kinds.values():
        total += counts
    return {
        **_rates(total),
        "seconds": _times(times),
        "stats": stats,
        "kinds": {kind: _rates(counts) for kind, counts in sorted(kinds.items())},
    }


def _outcome(said: bool, match: bool | None) -> str:
    if match is None:
        return "accepted" if said else "refused"
    return {(True, True): "tp", (True, False): "fp", (False, True): "fn", (False, False): "tn"}[said, match]


def _rates(counts: collections.Counter[str]) -> dict[str, Any]:
    if "accepted" in counts or "refused" in counts:
        return {"n": counts.total(), "accepted": counts["accepted"]}
    equal, unequal = counts["tp"] + counts["fn"], counts["tn"] + counts["fp"]
    return {
        "n": counts.total(),
        "accuracy": (counts["tp"] + counts["tn"]) / counts.total(),
        "equal": equal,
        "unequal": unequal,
        "false_positives": counts["fp"],
        "false_negatives": counts["fn"],
        "false_positive_rate": counts["fp"] / unequal if unequal else 0.0,
        "false_negative_rate": counts["fn"] / equal if equal else 0.0,
    }


def _times(seconds: list[float]) -> dict[str, float]:
    ordered = sorted(seconds)
    last = len(ordered) - 1
    return {
        "p50": ordered[last // 2],
        "p99": ordered[int(last * 0.99)],
        "max": ordered[-1],
        "total": sum(ordered),
    }


def table(figures: dict[str, Any]) -> str:
    """The figures as text: a line a grader, then the kinds in which either errs."""
    lines = []
    for section, graders in figures.items():
        lines.append(section)
        for name, one in graders.items():
            lines.append(f"  {name:9} {_summary(one)}")
        if section == "pairs":
            lines.extend(_weak_kinds(graders))
    return "\n".join(lines)


def _summary(one: dict[str, Any]) -> str:
    seconds = one["seconds"]
    took = f"p50 {seconds['p50'] * 1e3:.2f} ms, p99 {seconds['p99'] * 1e3:.2f} ms, max {seconds['max']:.3f} s"
    asked = f"{one['stats']['fallbacks']} to workers, {one['stats']['unanswered']} without reply"
    if "accuracy" not in one:
        return f"{one['accepted']} of {one['n']} accepted; {took}; {asked}"
    return (
        f"accuracy {one['accuracy']:.2%}, false positives {one['false_positives']} of {one['unequal']} "
        f"({one['false_positive_rate']:.2%}), false negatives {one['false_negatives']} of {one['equal']} "
        f"({one['false_negative_rate']:.2%}); {took}; {asked}"
    )


def _weak_kinds(graders: dict[str, Any]) -> list[str]:
    lines = ["  by kind, where one errs (accuracy, false positives, false negatives):"]
    for kind in graders["strict"]["kinds"]:
        rows = [graders[name]["kinds"][kind] for name in graders]
        if any(row["accuracy"] < 1 for row in rows):
            cells = [f"{r['accuracy']:7.1%} {r['false_positives']:3} {r['false_negatives']:3}" for r in rows]
            lines.append(f"    {kind or '-':18} n={rows[0]['n']:4}  " + "   ".join(cells))
    return lines
