"""The report of one run, or of several seeds: tables as text, Markdown and JSON, and figures."""

from __future__ import annotations

import dataclasses
import sys
from typing import TextIO

from rstar_jax.evaluation import render, tables
from rstar_jax.evaluation.plots import write_plots
from rstar_jax.evaluation.summary import Runs, RunSummary, merge
from rstar_jax.files import AnyPath, local_path, write_json, write_text


def write_report(summary: RunSummary | Runs, out_dir: AnyPath) -> list[str]:
    """Write `tables.md`, `tables.json` and the figures for which there is data; returns the file names.

    `tables.json` has the same blocks as the Markdown, measured values as fractions, null for not run.
    """
    runs = _as_runs(summary)
    folder = local_path(out_dir)
    plots = write_plots(runs, folder)
    all_tables = tables.all_tables(runs)
    figures = "\n".join(f"![{name.removesuffix('.png')}]({name})\n" for name in plots)
    write_text(folder / "tables.md", f"# {title(runs)}\n\n{render.markdown(all_tables)}\n{figures}")
    write_json(folder / "tables.json", [dataclasses.asdict(table) for table in all_tables])
    return ["tables.md", "tables.json", *plots]


def print_report(summary: RunSummary | Runs, stream: TextIO | None = None) -> None:
    """Print every table to `stream` (standard output by default)."""
    runs = _as_runs(summary)
    print(f"{title(runs)}\n\n{render.text(tables.all_tables(runs))}", file=stream or sys.stdout)


def title(runs: Runs) -> str:
    """Experiment, benchmark and seeds in one line."""
    first = runs.runs[0]
    seeds = ", ".join(str(run.seed) for run in runs.runs)
    return f"{first.name}: evaluated on {first.benchmark}, seed{'s' if len(runs.runs) > 1 else ''} {seeds}"


def _as_runs(summary: RunSummary | Runs) -> Runs:
    return summary if isinstance(summary, Runs) else merge([summary])
