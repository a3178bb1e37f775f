"""Which models think: those that are named, or the last round of the newest finished run of the built-in example."""

from __future__ import annotations

import dataclasses
import pathlib

from rstar_jax.errors import InputError
from rstar_jax.evolution.run_dir import RunDir
from rstar_jax.files import read_json
from rstar_jax.models.store import describe
from rstar_jax.thinking.settings import Settings, default_settings, run_of, settings_of

EXAMPLE = "cpu"  # the built-in example's name, `experiments/configs/cpu.py`
START = "start `bash launch/local.sh`, which makes one in about a quarter of an hour, or name models (--model, --ppm)"


@dataclasses.dataclass(frozen=True)
class Models:
    """policy, ppm: folders or Hub ids. words: which they are and why, for whoever has started the command."""

    policy: str
    ppm: str
    settings: Settings
    words: str


def find_models(model: str | None, ppm: str | None, runs: pathlib.Path) -> Models:
    """Named models, with the settings of their run if they are of one; without names, those of the built-in example.

    Raises InputError: only one of both is named, there is no finished run, or there are no such models.
    """
    if model is None and ppm is None:
        return newest_example(runs)
    if model is None or ppm is None:
        missing, given = ("--model", "--ppm") if model is None else ("--ppm", "--model")
        raise InputError(f"{missing} is missing: search needs a policy and a PPM, and {given} names only one of them")
    run = run_of(pathlib.Path(model))
    if run is not None:
        return Models(model, ppm, settings_of(run), f"{model} and {ppm}, with the settings of the run {run.root}")
    longest = min(describe(name).config.max_length for name in (model, ppm))
    return Models(model, ppm, default_settings(longest), f"{model} and {ppm}")


def newest_example(runs: pathlib.Path) -> Models:
    """The last round of the run that was finished last.

    Raises InputError: none is finished.
    """
    finished = sorted((_finished_at(run), run.root) for run in map(RunDir, runs.glob("*")) if _is_example(run))
    if not finished:
        raise InputError(f"no finished run of the built-in example in {runs}/; {START}")
    run = RunDir(finished[-1][1])
    last = max(round["number"] for round in read_json(run.config)["rounds"])
    words = f"no --model is named, so policy and PPM are those of round {last} of the newest finished run, {run.root}"
    return Models(str(run.policy(last)), str(run.ppm(last)), settings_of(run), words)


def _is_example(run: RunDir) -> bool:
    return run.summary.exists() and run.config.exists() and read_json(run.config).get("name") == EXAMPLE


def _finished_at(run: RunDir) -> float:
    return run.summary.stat().st_mtime
