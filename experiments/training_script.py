"""What the scripts that train from a file of rows have in common: flags, and the words before and after."""

from __future__ import annotations

import dataclasses
import pathlib
from typing import Any, Literal

import jax
from common import COMPILED

from rstar_jax.datasets.tokenise import Split, TokeniseConfig
from rstar_jax.errors import InputError
from rstar_jax.evolution.stages import set_up_jax
from rstar_jax.files import read_jsonl
from rstar_jax.models.remat import Remat
from rstar_jax.models.store import describe
from rstar_jax.search.progress import say
from rstar_jax.training.hosts import Hosts, join_if
from rstar_jax.training.optimizer import TrainConfig


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainingFlags:
    """How to train. Options that are left out are those of the chosen preset.

    Attributes:
      max_steps: stop, with the schedule at its end, after so many steps.
      grace_seconds: what the machine gives between SIGTERM and SIGKILL.
      profile_step, profile_steps: leave a profile of so many steps from that one on in OUT/model/profile.
      remat: what of a layer is kept for the backward pass (`rstar_jax.models.remat`).
      moment_dtype: of the optimizer's first moments.
      rounding: of new bfloat16 weights; stochastic if nothing is said, as most updates would be rounded away.
      mesh: sizes of the axes data, fsdp, tensor.
      distributed: this process is one of several, one on each host of a slice, which all run this command with an OUT
        that all of them see. They find each other on Cloud TPU, GKE and Slurm; elsewhere say where they meet:
      coordinator, processes, process: host:port of the first process, how many there are, and which this one is.
      weights: dtype of the weights.
      dtype: of the computation; by default as the model is stored.
    """

    epochs: int | None = None
    max_steps: int | None = None
    row_length: int | None = None
    batch_size: int | None = None
    microbatches: int | None = None
    learning_rate: float | None = None
    checkpoint_every: int | None = None
    log_every: int | None = None
    grace_seconds: float | None = None
    profile_step: int | None = None
    profile_steps: int | None = None
    remat: Remat | None = None
    moment_dtype: Literal["float32", "bfloat16"] | None = None
    rounding: Literal["nearest", "stochastic"] | None = None
    seed: int = 0
    mesh: tuple[int, int, int] = (1, 1, 1)
    distributed: bool = False
    coordinator: str | None = None
    processes: int | None = None
    process: int | None = None
    weights: Literal["float32", "bfloat16"] = "float32"
    dtype: Literal["float32", "bfloat16"] | None = None


# But of the machine and the model.
_NOT_OF_A_RUN = ("mesh", "distributed", "coordinator", "processes", "process", "weights", "dtype")


def start_jax(flags: TrainingFlags) -> None:
    """Keep compiled programs between starts, and meet the other processes if there are any."""
    set_up_jax(COMPILED)
    join_if(flags.distributed, Hosts(flags.coordinator, flags.processes, flags.process))


def speak(text: str) -> None:
    """A line of the run's own, from the first process only."""
    if jax.process_index() == 0:
        say(text)


def changed(preset: TrainConfig, flags: TrainingFlags) -> TrainConfig:
    """The preset with what the command line says.

    Raises InputError: a value that is impossible.
    """
    names = [field.name for field in dataclasses.fields(TrainingFlags) if field.name not in _NOT_OF_A_RUN]
    given: dict[str, Any] = {name: getattr(flags, name) for name in names if getattr(flags, name) is not None}
    if flags.weights == "bfloat16":
        given.setdefault("rounding", "stochastic")
    try:
        return dataclasses.replace(preset, **given)
    except ValueError as error:
        raise InputError(str(error)) from None


def check_share(held_out: float) -> None:
    if not 0 <= held_out < 1:
        raise InputError(f"--held-out {held_out} is no share of the problems: at least 0 and less than 1")


def check_length(config: TrainConfig, model: str) -> None:
    """Raises InputError: the model cannot read rows of that length."""
    longest = describe(model).config.max_length
    if config.row_length > longest:
        raise InputError(
            f"rows of {config.row_length} tokens are longer than the {longest} that {model} reads; choose a "
            "shorter --row-length"
        )


def about(data: Split, settings: TokeniseConfig) -> str:
    """What there is to learn from, in a sentence."""
    what = "pairs" if settings.job == "ppm" else "solutions"
    dropped = data.train.dropped + data.held_out.dropped
    return (
        f"{data.train.examples:,} {what} to train on in {data.train.n_rows:,} rows ({data.train.fill:.0%} full), "
        f"{data.held_out.examples:,} held out, {dropped:,} longer than {settings.row_length} tokens and dropped"
    )


def results(model: pathlib.Path) -> list[str]:
    """What the run came to, from its metrics."""
    rows = read_jsonl(model / "metrics.jsonl")
    last = [row for row in rows if "loss" in row][-1]
    lines = [f"step {last['step']}: loss {last['loss']:.4f}, accuracy {last['accuracy']:.4f}"]
    for row in (row for row in rows if "held_out_loss" in row):
        loss, accuracy = row["held_out_loss"], row["held_out_accuracy"]
        lines.append(f"held out, after epoch {row['epoch']:.4g}: loss {loss:.4f}, accuracy {accuracy:.4f}")
    return [*lines, f"model: {model}"]
