"""Begin a run with what another run has found: its problems, the data of its last round, and the PPM of that round.

    python experiments/start_from.py --config phi3_mini --run-dir runs/phi3_mini --other runs/qwen2_5_math_7b-s0

For configs that train a base model once on the data of another (section 4.1); `evolve.py` or `drive.py` goes on from
there. Data are copied, the PPM is a link to the other run's. What was taken from where stands in RUN_DIR/origin.json.
"""

from __future__ import annotations

import dataclasses
import pathlib
import shutil

import tyro
from common import Flags, checked_config, run_dir

from rstar_jax.errors import InputError, run_main
from rstar_jax.evolution.run_dir import RunDir
from rstar_jax.files import atomic_directory, read_json, sha256_of, write_json
from rstar_jax.models.store import is_finished
from rstar_jax.search.progress import say


@dataclasses.dataclass(frozen=True, kw_only=True)
class StartFlags(Flags):
    """other: directory of the run to take from; its round has to be finished."""

    other: pathlib.Path


def start_from(run: RunDir, other: RunDir, number: int) -> None:
    """Bring a round's data and PPM from another run; what is there already stays.

    Raises InputError: the other run has no such round, or not all of it.
    """
    needed = [other.problems / "train.jsonl", other.problems / "test.jsonl", other.data(number) / "sft.jsonl"]
    missing = [str(path) for path in (*needed, other.data_counts(number)) if not path.exists()]
    if not is_finished(other.ppm(number)):
        missing.append(str(other.ppm(number)))
    if missing:
        raise InputError(f"{other.root}: round {number} is not finished there, {missing[0]} is missing")
    if run.has_data(number):
        return
    for folder, source in ((run.problems, other.problems), (run.data(number), other.data(number))):
        if not folder.exists():
            with atomic_directory(folder) as made:
                for file in source.glob("*.jsonl"):
                    shutil.copyfile(file, made / file.name)
    if not run.ppm(number).is_symlink():
        run.ppm(number).symlink_to(other.ppm(number).absolute(), target_is_directory=True)
    origin = {"run": str(other.root.absolute()), "round": number, "sft": sha256_of(run.data(number) / "sft.jsonl")}
    write_json(run.root / "origin.json", origin)
    write_json(run.data_counts(number), read_json(other.data_counts(number)))


def go() -> None:
    flags = tyro.cli(StartFlags, description=__doc__)
    config, run = checked_config(flags), run_dir(flags)
    first = config.rounds[0]
    if first.proposer != "none":
        raise InputError(f"{config.name} searches by itself; it does not start from another run")
    start_from(run, RunDir(flags.other), first.number)
    say(f"{run.root} has the data of round {first.number} of {flags.other}; go on with evolve.py or drive.py")


if __name__ == "__main__":
    run_main(go)
