"""The models of a run by name, and where they lie.

    base, SLM-r1 ... SLM-r4       base model and policies
    PPM-r1 ... PPM-r4             process preference models
    ORM-r4, PQM-r4                the reward models of Table 8 (`evolution.baselines`)
    other names                   what only a table needs (`ablations`), in RUN/ablations/NAME
"""

from __future__ import annotations

import pathlib
import re

from rstar_jax.evolution.run_dir import RunDir

BASE = "base"
RANDOM_SFT = "SLM-random-sample"
REJECTION_SFT = "SLM-rejection-sampling"
STEPS_ONLY_PPM = "PPM-steps-only"

_OF_ROUND = re.compile(r"(SLM|PPM|ORM|PQM)-r(\d+)")


def slm(number: int) -> str:
    """The policy of a round; 0: the base model."""
    return f"SLM-r{number}" if number else BASE


def ppm(number: int) -> str:
    return f"PPM-r{number}"


def orm(number: int) -> str:
    return f"ORM-r{number}"


def pqm(number: int) -> str:
    return f"PQM-r{number}"


def model_folder(run: RunDir, name: str) -> pathlib.Path:
    """Where a model lies, or will."""
    if name == BASE:
        return run.base
    found = _OF_ROUND.fullmatch(name)
    if found is None:
        return run.root / "ablations" / name
    kind, number = found[1], int(found[2])
    if kind in ("ORM", "PQM"):
        return run.baseline(number, kind.lower())
    return run.policy(number) if kind == "SLM" else run.ppm(number)
