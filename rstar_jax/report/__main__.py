"""Writes RUN_DIR/report/report.html, the report of a finished run, and the trees worth reading beside it.

    python -m rstar_jax.report RUN_DIR

Opens from the disk and needs no network. A run writes it at its end; this command does so again.
"""

from __future__ import annotations

import dataclasses
import pathlib

import tyro

from rstar_jax.errors import InputError, run_main
from rstar_jax.evaluation.summary import read_summary
from rstar_jax.evolution.run_dir import RunDir
from rstar_jax.report.page import write_page
from rstar_jax.search.progress import say


@dataclasses.dataclass(frozen=True)
class Flags:
    """run_dir: of a finished run."""

    run_dir: tyro.conf.Positional[pathlib.Path]


def main(flags: Flags) -> None:
    run = RunDir(flags.run_dir)
    if not run.summary.exists():
        raise InputError(f"{run.root}: no finished run is there")
    say(f"written: {write_page(run, read_summary(run.summary))}")


if __name__ == "__main__":
    chosen = tyro.cli(Flags, description=__doc__)
    run_main(lambda: main(chosen))
