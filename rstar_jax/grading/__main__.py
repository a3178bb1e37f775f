"""Scores both graders on labelled pairs: `python -m rstar_jax.grading --pairs FILE.jsonl [--json OUT]`.

A pair is a JSON object a line with `gold`, `pred` and `match` (a boolean), and optionally `kind`.
`--adversarial FILE` times inputs that have no label (`gold`, `pred`, `name`). Bad input ends with one
sentence and exit code 2.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from rstar_jax.errors import run_main
from rstar_jax.files import atomic_write
from rstar_jax.grading import pairs, report


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m rstar_jax.grading", description="Scores both graders on labelled pairs."
    )
    parser.add_argument("--pairs", type=Path, help="labelled pairs, JSON lines")
    parser.add_argument("--adversarial", type=Path, help="unlabelled inputs to time, JSON lines")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    parser.add_argument("--time-limit", type=float, default=3.0, help="seconds for one question to a worker")
    options = parser.parse_args()
    if options.pairs is None and options.adversarial is None:
        parser.error("one of --pairs and --adversarial is needed")
    figures = _figures(options)
    if options.json is not None:
        with atomic_write(options.json) as file:
            file.write(json.dumps(figures, indent=2) + "\n")
    print(report.table(figures))


def _figures(options: argparse.Namespace) -> dict[str, Any]:
    files = {"pairs": (options.pairs, True), "adversarial": (options.adversarial, False)}
    loaded = {
        name: pairs.load(path, labelled) for name, (path, labelled) in files.items() if path is not None
    }
    return {name: report.score_both(asked, options.time_limit) for name, asked in loaded.items()}


if __name__ == "__main__":
    run_main(main)
