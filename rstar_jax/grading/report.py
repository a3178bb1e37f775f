"""Figures of the graders on pairs: accuracy, false positives and negatives by kind, times, calls over their limit."""

from __future__ import annotations

import collections
import dataclasses
import time
from collections.abc import Iterator, Sequence
from typing import Any

from rstar_jax.grading.extract import Semantics
from rstar_jax.grading.pairs import Pair
from rstar_jax.grading.pool import GraderPool, GraderStats

GRADERS: tuple[Semantics, ...] = ("strict", "released")
Figures = dict[str, dict[str, dict[str, Any]]]  # by section and grader


@dataclasses.dataclass(frozen=True)
class Judged:
    """What one grader said to each pair, and how long it took, in seconds."""

    said: list[bool]
    seconds: list[float]
    stats: GraderStats
    limit_s: float


def judge(pairs: Sequence[Pair], semantics: Semantics, time_limit_s: float = 3.0) -> Judged:
    """Asks one grader, workers warm, without its cache."""
    said, seconds = [], []
    with GraderPool(semantics, time_limit_s, cache_size=0) as grader:
        for pair in pairs:
            grader.start()  # a worker that was killed has a successor, whose start is no part of a call
            began = time.perf_counter()
            said.append(grader.grade_sync(pair.pred, pair.gold))
            seconds.append(time.perf_counter() - began)
        return Judged(said, seconds, dataclasses.replace(grader.stats), time_limit_s)


def score_both(pairs: Sequence[Pair], time_limit_s: float = 3.0) -> dict[str, dict[str, Any]]:
    """The figures of the strict and of the released grader."""
    return {semantics: score(pairs, semantics, time_limit_s) for semantics in GRADERS}


def score(pairs: Sequence[Pair], semantics: Semantics, time_limit_s: float = 3.0) -> dict[str, Any]:
    """Verdicts and times of one grader."""
    return summary(pairs, judge(pairs, semantics, time_limit_s))


def summary(pairs: Sequence[Pair], judged: Judged) -> dict[str, Any]:
    """Rates over all pairs and by kind; times; the calls that took longer than their limit."""
    kinds: dict[str, collections.Counter[str]] = {}
    for pair, said in zip(pairs, judged.said, strict=True):
        kinds.setdefault(pair.kind, collections.Counter())[_outcome(said, pair.match)] += 1
    return {
        **_rates(sum(kinds.values(), collections.Counter())),
        "seconds": _times(judged.seconds),
        "over_limit": sum(seconds > judged.limit_s for seconds in judged.seconds),
        "largest_share_of_limit": max(judged.seconds) / judged.limit_s,
        "stats": dataclasses.asdict(judged.stats),
        "kinds": {kind: _rates(counts) for kind, counts in sorted(kinds.items())},
    }


def wrong(pairs: Sequence[Pair], judged: Judged) -> list[Pair]:
    """The labelled pairs that the grader got wrong."""
    return [
        pair for pair, said in zip(pairs, judged.said, strict=True) if pair.match is not None and said != pair.match
    ]


def over_limit(figures: Figures) -> int:
    """How many calls took longer than their limit, in all sections."""
    return sum(one["over_limit"] for graders in figures.values() for one in graders.values())


def _outcome(said: bool, match: bool | None) -> str:
    if match is None:
        return "accepted" if said else "refused"
    return {(True, True): "tp", (True, False): "fp", (False, True): "fn", (False, False): "tn"}[said, match]


def _rates(counts: collections.Counter[str]) -> dict[str, Any]:
    equal, unequal = counts["tp"] + counts["fn"], counts["tn"] + counts["fp"]
    rates: dict[str, Any] = {"n": counts.total(), "accepted": counts["accepted"] + counts["tp"] + counts["fp"]}
    if not equal + unequal:
        return rates
    return rates | {
        "accuracy": (counts["tp"] + counts["tn"]) / (equal + unequal),
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
    return {"p50": ordered[last // 2], "p99": ordered[int(last * 0.99)], "max": ordered[-1], "total": sum(ordered)}


def flat(figures: Figures) -> dict[str, float]:
    """All figures as one flat object: `pairs_strict_false_positives`, `pairs_strict_accuracy_of_frac`, ..."""
    out: dict[str, float] = {}
    for section, graders in figures.items():
        for name, one in graders.items():
            start = f"{section}_{name}_"
            out |= {start + key: round(v, 6) for key, v in one.items() if isinstance(v, int | float)}
            out |= {f"{start}{key}_ms": round(1e3 * v, 3) for key, v in one["seconds"].items()}
            out |= {start + key: v for key, v in one["stats"].items()}
            kinds = one["kinds"].items()
            out |= {f"{start}accuracy_of_{kind}": round(row["accuracy"], 6) for kind, row in kinds if "accuracy" in row}
    return out


def table(figures: Figures) -> str:
    """The figures as text: for each section a line a kind, the graders side by side, then their times."""
    lines: list[str] = []
    for section, graders in figures.items():
        lines += ["", *_section(section, graders)]
    over = over_limit(figures)
    lines += ["", f"calls over their limit: {over or 'none'}"]
    return "\n".join(lines[1:])


def _section(section: str, graders: dict[str, dict[str, Any]]) -> Iterator[str]:
    labelled = all("accuracy" in one for one in graders.values())
    yield f"{section}: {next(iter(graders.values()))['n']} pairs"
    if labelled:
        yield f"  {'':18} {'':>12}  " + "  ".join(f"{name:^22}" for name in graders)
        yield f"  {'kind':18} {'=':>6} {'≠':>5}  " + "  ".join(
            [f"{'right':>8} {'false+':>6} {'false-':>6}"] * len(graders)
        )
        for kind in next(iter(graders.values()))["kinds"]:
            yield _row(kind or "-", [one["kinds"][kind] for one in graders.values()])
        yield _row("all", list(graders.values()))
    for name, one in graders.items():
        yield f"  {name + ':':10} {_calls(one)}"


def _row(kind: str, rows: list[dict[str, Any]]) -> str:
    if "accuracy" not in rows[0]:
        return f"  {kind:18} {rows[0]['n']:6} without label"
    cells = (f"{r['accuracy']:8.2%} {r['false_positives']:6} {r['false_negatives']:6}" for r in rows)
    return f"  {kind:18} {rows[0]['equal']:6} {rows[0]['unequal']:5}  " + "  ".join(cells)


def _calls(one: dict[str, Any]) -> str:
    """Times of the calls; how far the rates are from perfect, in per cent."""
    seconds, stats = one["seconds"], one["stats"]
    took = f"p50 {seconds['p50'] * 1e3:.2f} ms, p99 {seconds['p99'] * 1e3:.2f} ms, max {seconds['max']:.3f} s"
    asked = f"{stats['fallbacks']} to workers, {stats['unanswered']} of them without reply"
    share = (
        f"the longest took {one['largest_share_of_limit']:.1%} of its limit, {one['over_limit'] or 'none'} went over it"
    )
    if "accuracy" not in one:
        return f"{one['accepted']} of {one['n']} accepted; {took}; {share}; {asked}"
    rates = (
        f"false positives {one['false_positives']} of {one['unequal']} ({one['false_positive_rate']:.2%}), "
        f"false negatives {one['false_negatives']} of {one['equal']} ({one['false_negative_rate']:.2%})"
    )
    return f"{rates}; {took}; {share}; {asked}"
