"""How right and how fast the two graders are, on labelled pairs of a gold answer and a prediction.

    python experiments/benchmarks/grading.py --pairs FILE [--adversarial FILE] [--quick] [--json FILE]

Prints accuracy, false positives and false negatives overall and for each kind in which a grader errs, and the
time per call (p50, p99, max), workers warm and without the cache. A pair is a JSON object a line with `gold`,
`pred`, `match` and `kind`; adversarial inputs have no label and are only timed.

Hardware: any Linux machine; two CPU cores are enough. Takes seconds on pairs; each adversarial input that
reaches a worker may take the time limit.
Expected: strict above 99 % with a p50 of a tenth of a millisecond; released at about 90 %, nearly all of its
errors false positives, as the published union has it.
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import tyro

from rstar_jax.errors import run_main
from rstar_jax.files import atomic_write
from rstar_jax.grading import report

QUICK_STRIDE = 10


@dataclasses.dataclass(frozen=True)
class Options:
    """Command-line options."""

    pairs: Path  # labelled pairs, JSON lines
    adversarial: Path | None = None  # unlabelled inputs to time, JSON lines
    quick: bool = False  # every tenth pair
    json: Path | None = None  # also write the figures to this file
    time_limit_s: float = 3.0  # for one question to a worker


def main(options: Options) -> None:
    """Measure, print, and write what was asked for."""
    stride = QUICK_STRIDE if options.quick else 1
    pairs = report.load(options.pairs, labelled=True)[::stride]
    figures = {"pairs": report.score_both(pairs, options.time_limit_s)}
    if options.adversarial is not None:
        hostile = report.load(options.adversarial, labelled=False)[::stride]
        figures["adversarial"] = report.score_both(hostile, options.time_limit_s)
    print(report.table(figures))
    if options.json is not None:
        with atomic_write(options.json) as file:
            file.write(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    run_main(lambda: main(tyro.cli(Options)))
