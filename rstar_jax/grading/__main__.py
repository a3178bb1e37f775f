"""Scores both graders on labelled pairs: `python -m rstar_jax.grading --pairs FILE.jsonl [--json OUT]`.

A pair is a JSON object a line with `gold`, `pred` and `match` (a boolean), and optionally `kind`. `--adversarial`
FILE times inputs that have no label (`gold`, `pred`, `name`). Bad input ends with one sentence and exit code 2.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from rstar_jax.grading import report


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m rstar_jax.grading", description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=Path, help="labelled pairs, JSON lines")
    parser.add_argument("--adversarial", type=Path, help="unlabelled inputs to time, JSON lines")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    parser.add_argument("--time-limit", type=float, default=3.0, help="seconds for one question to a worker")
    options = parser.parse_args(argv)
    if options.pairs is None and options.adversarial is None:
        parser.error("one of --pairs and --adversarial is needed")
    try:
        figures = _figures(options)
        if options.json is not None:
            options.json.write_text(json.dumps(figures, indent=2) + "\n")
    except report.BadInput as error:
        print(error, file=sys.stderr)
        return 2
    except OSError as error:
        print(f"cannot write {options.json}: {error.strerror}", file=sys.stderr)
        return 2
    print(report.table(figures))
    return 0


def _figures(options: argparse.Namespace) -> dict[str, Any]:
    labelled = report.load(options.pairs, labelled=True) if options.pairs is not None else None
    unlabelled = report.load(options.adversarial, labelled=False) if options.adversarial is not None else None
    figures: dict[str, Any] = {}
    for semantics in ("strict", "released"):
        if labelled is not None:
            figures.setdefault("pairs", {})[semantics] = report.score(labelled, semantics, options.time_limit)
        if unlabelled is not None:
            timed = report.score(unlabelled, semantics, options.time_limit)
            figures.setdefault("adversarial", {})[semantics] = timed
    return figures


if __name__ == "__main__":
    sys.exit(main())
