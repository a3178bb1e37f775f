r"""How right and how fast the two graders are, and whether any call ever takes longer than its limit.

    python experiments/benchmarks/grading.py [--quick] [--json FILE] [--wrong N]
        [--pairs FILE] [--folder DIR] [--adversarial FILE]

Four sections, both graders side by side, right answers, false positives and false negatives by kind, times per call
(p50, p99, max; workers warm, without the cache), the largest share of the limit, and how many calls went over it:

* pairs: the project's own labelled pairs, those of `tests/grading/rule_cases.jsonl` labelled by hand and those that
  `rstar_jax.grading.rewriting` makes of its golds; with `--pairs` those of a file too (JSON lines with `gold`, `pred`,
  `match`, `kind`).
* golds: with `--folder`, every different gold answer of the benchmark files in it (JSON in the released layout: a list
  of rows, or `{"example": [rows]}`) with its rewritings and near misses; by kind.
* themselves: each of these golds against its own text; by file. An empty gold equals nothing.
* adversarial: inputs that make graders hang, as predictions, as golds and against themselves, and those of a file.

The end is exit code 1 if any call took longer than its limit. `--quick` takes a part of every section.
`--wrong N` prints up to N pairs that the strict grader gets wrong.

Hardware: any Linux machine; two CPU cores are enough. Under a minute with `--quick`; minutes without, most of them for
adversarial inputs that use up the limit; about a quarter of an hour with the files of nine benchmarks.
Expected: strict above 99.9 % with a p50 of a tenth of a millisecond; released at about 90 %, nearly all of its errors
false positives, as the published union has it; no call over its limit.
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import grading_hostile
import tyro

from rstar_jax.errors import InputError, run_main
from rstar_jax.files import read_json, write_json
from rstar_jax.grading import report
from rstar_jax.grading.alternatives import golds
from rstar_jax.grading.pairs import Pair, load
from rstar_jax.grading.rewriting import labelled_pairs
from rstar_jax.grading.rewriting.golds import GOLDS

HAND = Path(__file__).parents[2] / "tests" / "grading" / "rule_cases.jsonl"
QUICK_PAIRS, QUICK_GOLDS, QUICK_HOSTILE = 6, 200, 40  # every so many
Sections = dict[str, list[Pair]]


@dataclasses.dataclass(frozen=True)
class Options:
    """Command-line options."""

    pairs: Path | None = None  # more labelled pairs, JSON lines
    folder: Path | None = None  # benchmark files in the released layout
    adversarial: Path | None = None  # more inputs to time, JSON lines
    quick: bool = False
    json: Path | None = None  # also write the figures to this file, as one flat object
    wrong: int = 20  # so many errors of the strict grader are printed
    time_limit_s: float = 3.0  # for a call


def main(options: Options) -> int:
    """Measure, print, and write what was asked for; 1 if any call took longer than its limit."""
    figures: report.Figures = {}
    mistakes: list[Pair] = []
    for name, pairs in sections(options).items():
        judged = {grader: report.judge(pairs, grader, options.time_limit_s) for grader in report.GRADERS}
        figures[name] = {grader: report.summary(pairs, one) for grader, one in judged.items()}
        mistakes += report.wrong(pairs, judged["strict"])
    print(report.table(figures))
    for pair in mistakes[: options.wrong]:
        print(f"strict is wrong ({pair.kind}): {pair.gold!r:.80} {'=' if pair.match else '≠'} {pair.pred!r:.80}")
    if options.json is not None:
        write_json(options.json, report.flat(figures))
    return 1 if report.over_limit(figures) else 0


def sections(options: Options) -> Sections:
    """The pairs of every section."""
    pairs = own_pairs() + (load(options.pairs, labelled=True) if options.pairs else [])
    hostile = grading_hostile.inputs()
    hostile = grading_hostile.roles(hostile) if not options.quick else hostile
    hostile += load(options.adversarial, labelled=False) if options.adversarial else []
    found: Sections = {"pairs": pairs}
    if options.folder is not None:
        rows = read_golds(options.folder)
        known = list(dict.fromkeys(gold for _, gold in rows))[:: QUICK_GOLDS if options.quick else 1]
        found["golds"] = [pair for gold in known for pair in labelled_pairs(gold)]
        found["themselves"] = [itself(gold, name) for name, gold in rows]
    found["adversarial"] = hostile
    steps = {"pairs": QUICK_PAIRS, "adversarial": QUICK_HOSTILE, "themselves": QUICK_PAIRS}
    return {name: some[:: steps.get(name, 1) if options.quick else 1] for name, some in found.items()}


def own_pairs() -> list[Pair]:
    """What ships with the project: labelled by hand, and made by rule."""
    made = [pair for gold in GOLDS for pair in labelled_pairs(gold)]
    return hand_pairs(HAND) + made


def hand_pairs(path: Path) -> list[Pair]:
    """The cases of a file with a gold, what equals it and what does not, a line each."""
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]
    return [
        Pair(row["gold"], pred, match, row["kind"])
        for row in rows
        for match, key in ((True, "equal"), (False, "different"))
        for pred in row[key]
    ]


def read_golds(folder: Path) -> list[tuple[str, str]]:
    """Name of the file and gold, for every row. InputError if there are none."""
    rows = [(path.stem, gold) for path in sorted(folder.glob("*.json")) for gold in _answers(path)]
    if not rows:
        raise InputError(f"{folder}: holds no .json file with answers")
    return rows


def _answers(path: Path) -> list[str]:
    rows = read_json(path)
    rows = rows.get("example") if isinstance(rows, dict) else rows
    if not isinstance(rows, list):
        raise InputError(f"{path}: is no list of rows")
    answers = [row.get("answer") for row in rows if isinstance(row, dict)]
    if len(answers) < len(rows) or not all(isinstance(answer, str | list | int | float) for answer in answers):
        raise InputError(f"{path}: a row has no answer")
    return [answer if isinstance(answer, str) else repr(answer) for answer in answers]


def itself(gold: str, name: str) -> Pair:
    """A gold against its own text; one that is a list of strings against the first of them."""
    pred = golds(gold)[0]
    return Pair(gold, pred, bool(gold.strip()), name)


if __name__ == "__main__":
    run_main(lambda: main(tyro.cli(Options)))
