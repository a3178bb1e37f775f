"""From published data sets to the problems of a run: read, clean, drop copies, drop what gives the evaluation away.

Every row that does not become a problem is counted, by the set it comes from and the reason.
"""

from __future__ import annotations

import collections
import dataclasses
import pathlib
from collections.abc import Iterable, Mapping
from typing import Any

from rstar_jax.files import write_json, write_jsonl
from rstar_jax.problems.cleaning import CLEANING, CleaningConfig, clean_answer, why_not
from rstar_jax.problems.contamination import Evaluation, Overlap
from rstar_jax.problems.duplicates import NEAR, without_copies, without_near_copies
from rstar_jax.problems.files import named_by_content, write_problems
from rstar_jax.problems.problem import LEVELS, Problem
from rstar_jax.problems.published import Candidate

PROBLEMS = "problems.jsonl"
REPORT = "report.json"
OVERLAPS = "overlaps.jsonl"

_COPY, _NEAR_COPY, _CONTRADICTION, _OVERLAP = "copy", "near copy", "contradicting answers", "in the evaluation"


@dataclasses.dataclass(frozen=True)
class Prepared:
    """Attributes:
    problems: what is left, in the order of the rows; ids are those of their content.
    read: rows of each set. dropped: of these, by set and reason.
    overlaps: what would have given the evaluation away.
    """

    problems: list[Problem]
    read: Mapping[str, int]
    dropped: Mapping[str, Mapping[str, int]]
    overlaps: list[Overlap]

    def report(self) -> dict[str, Any]:
        """What was kept and dropped, as JSON."""
        kept = collections.Counter(problem.source for problem in self.problems)
        levels = collections.Counter(problem.level for problem in self.problems)
        benchmarks = collections.Counter(overlap.benchmark for overlap in self.overlaps)
        return {
            "problems": len(self.problems),
            "levels": {level: levels[level] for level in LEVELS},
            "sources": {
                name: {"rows": rows, "kept": kept[name], "dropped": dict(sorted(self.dropped.get(name, {}).items()))}
                for name, rows in sorted(self.read.items())
            },
            "overlaps": dict(sorted(benchmarks.items())),
        }


def prepare(
    rows: Iterable[Candidate],
    evaluation: Mapping[str, Iterable[Problem]],
    cleaning: CleaningConfig = CLEANING,
    near: float = NEAR,
) -> Prepared:
    """The problems among the rows, all different from each other and from those of the benchmarks in `evaluation`."""
    read: collections.Counter[str] = collections.Counter()
    dropped: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)

    def clean() -> Iterable[Problem]:
        for row in rows:
            read[row.source] += 1
            reason = why_not(row, cleaning)
            if reason is None:
                yield _problem(row)
            else:
                dropped[row.source][reason] += 1

    distinct = without_copies(clean())
    far = without_near_copies(distinct.problems, near)
    lost = [(_COPY, distinct.copies), (_CONTRADICTION, distinct.contradicting), (_NEAR_COPY, far.copies)]
    for reason, pairs in lost:
        for problem, _ in pairs:
            dropped[problem.source][reason] += 1
    tests, overlaps, kept = Evaluation(evaluation), [], []
    for problem in far.problems:
        overlap = tests.overlap(problem)
        if overlap is None:
            kept.append(problem)
        else:
            overlaps.append(overlap)
            dropped[problem.source][_OVERLAP] += 1
    return Prepared(kept, read, dropped, overlaps)


def _problem(row: Candidate) -> Problem:
    answer = clean_answer(row.answer)
    assert answer is not None  # or `why_not` would have said so
    return named_by_content(Problem("", row.question.strip(), answer, row.level, row.source))


def write(prepared: Prepared, folder: pathlib.Path) -> None:
    """`problems.jsonl`, `overlaps.jsonl` and, last of all, `report.json` in a folder."""
    write_problems(folder / PROBLEMS, prepared.problems)
    write_jsonl(folder / OVERLAPS, (_overlap_row(overlap) for overlap in prepared.overlaps))
    write_json(folder / REPORT, prepared.report())


def _overlap_row(overlap: Overlap) -> dict[str, str]:
    return {
        "id": overlap.problem.id,
        "source": overlap.problem.source,
        "question": overlap.problem.question,
        "benchmark": overlap.benchmark,
        "test_question": overlap.test.question,
    }


def table(report: Mapping[str, Any]) -> str:
    """The report for people."""
    lines = [f"{'set':32} {'rows':>9} {'kept':>9}  dropped"]
    for name, counts in report["sources"].items():
        reasons = ", ".join(f"{number:,} {reason}" for reason, number in counts["dropped"].items())
        lines.append(f"{name:32} {counts['rows']:9,} {counts['kept']:9,}  {reasons}")
    levels = ", ".join(f"{number:,} {level}" for level, number in report["levels"].items())
    lines.append(f"{report['problems']:,} problems: {levels}")
    benchmarks = ", ".join(f"{number:,} of {name}" for name, number in report["overlaps"].items())
    return "\n".join([*lines, f"dropped because they give the evaluation away: {benchmarks or 'none'}"])
