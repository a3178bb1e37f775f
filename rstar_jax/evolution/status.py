"""How far a run is: `python -m rstar_jax.evolution.status RUN_DIR`.

Read from the files of the run directory alone, so it works for running, killed and finished runs, on any machine that
sees the directory, and disturbs nobody. A rate is that of the last finished problems or training steps; what is left
is told from it, as if the rest were as hard.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import pathlib
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Literal

import tyro

from rstar_jax.errors import InputError, run_main
from rstar_jax.evaluation.results import Parts
from rstar_jax.evolution.failures import read_failures
from rstar_jax.evolution.run_dir import RunDir
from rstar_jax.files import count_lines, read_json, whole_lines
from rstar_jax.models.store import is_finished
from rstar_jax.problems.problem import LEVELS
from rstar_jax.search import shards
from rstar_jax.search.store import NoSuchFile, Summary, read_summary

_RECENT = 200  # finished problems that a rate is taken from
_STEPS = 20  # logged training steps that a rate is taken from


@dataclasses.dataclass(frozen=True)
class Stage:
    """How many of how many are done. per_second: of the last ones; None if that cannot be told."""

    state: Literal["waiting", "begun", "done"]
    done: int
    total: int
    per_second: float | None

    @property
    def seconds_left(self) -> float | None:
        return (self.total - self.done) / self.per_second if self.state == "begun" and self.per_second else None


@dataclasses.dataclass(frozen=True)
class Search(Stage):
    """Problems of a round. left_out: by the budget. levels: (done, solved)."""

    left_out: int
    levels: dict[str, tuple[int, int]]


@dataclasses.dataclass(frozen=True)
class Training(Stage):
    """Steps of a model. loss: the last that was logged."""

    loss: float | None


@dataclasses.dataclass(frozen=True)
class RoundStatus:
    """data: counts of what was made of the trees, None before. evaluations: problems done, and in all, by name."""

    number: int
    search: Search
    data: dict[str, Any] | None
    policy: Training
    ppm: Training
    evaluations: dict[str, tuple[int, int]]


@dataclasses.dataclass(frozen=True)
class Status:
    """seconds_since: the newest file of the run was written. base: model that rounds train from."""

    name: str
    seed: int
    finished: bool
    seconds_since: float
    base: Training
    rounds: tuple[RoundStatus, ...]
    failures: tuple[dict[str, Any], ...]


def read_status(root: pathlib.Path, clock: Callable[[], float] = time.time) -> Status:
    """Raises InputError: there is no run in the folder."""
    run = RunDir(root)
    if not run.config.exists():
        raise InputError(f"{root}: no run there (it has no config.json)")
    config = read_json(run.config)
    files = (run.problems / "train.jsonl", run.problems / "test.jsonl")
    n_train, n_test = (count_lines(file) if file.exists() else 0 for file in files)
    return Status(
        config["name"],
        config["seed"],
        run.summary.exists(),
        max(0.0, clock() - max(_times(_files(root)))),
        _training(run.base),
        tuple(_round(run, round["number"], n_train, n_test) for round in config["rounds"]),
        tuple(read_failures(root)),
    )


def _files(folder: pathlib.Path) -> Iterator[pathlib.Path]:
    """All files below; folders that go meanwhile are no error, as `os.walk` has it."""
    for parent, _, names in os.walk(folder):
        yield from (pathlib.Path(parent, name) for name in names)


def _times(files: Iterable[pathlib.Path]) -> Iterator[float]:
    """When each was written; a run under way may have merged or renamed one since it was listed."""
    for file in files:
        with contextlib.suppress(FileNotFoundError):
            yield file.stat().st_mtime


def _round(run: RunDir, number: int, n_train: int, n_test: int) -> RoundStatus:
    data = run.round(number) / "metrics" / "data.json"
    evaluations = run.round(number) / "evaluation"
    names = sorted(folder.name for folder in evaluations.iterdir()) if evaluations.exists() else []
    return RoundStatus(
        number,
        _search(run.trees(number), n_train, data.exists()),
        read_json(data) if data.exists() else None,
        _training(run.policy(number)),
        _training(run.ppm(number)),
        {name: (Parts(evaluations / name / "parts").count(), n_test) for name in names},
    )


# --- Search -------------------------------------------------------------------------------------------


def _search(folder: pathlib.Path, total: int, finished: bool) -> Search:
    parts = sorted((folder / shards.PARTS).glob("*/*.parquet"))  # before the shards, into which they go
    found = sum(_summaries([*shards.shard_files(folder), *parts]), Summary())
    over = finished or shards.n_shards(folder) == len(shards.shard_files(folder))
    state = "done" if over else "begun" if (folder / shards.RUN).exists() else "waiting"
    levels = {level: found.levels.get(level, (0, 0)) for level in LEVELS}
    left_out = total - found.problems if over and (folder / shards.RUN).exists() else 0
    return Search(state, found.problems, total, _search_rate(folder, parts), left_out, levels)


def _summaries(files: Iterable[pathlib.Path]) -> Iterator[Summary]:
    """Those of parts that have just been merged away are left out."""
    for file in files:
        with contextlib.suppress(NoSuchFile):
            yield read_summary(file)


def _search_rate(folder: pathlib.Path, parts: Sequence[pathlib.Path]) -> float | None:
    """Problems a second: of the last ones that were finished, alone or with their shard."""
    size = read_json(folder / shards.RUN)["shard_problems"] if (folder / shards.RUN).exists() else 0
    whole = sorted(_times(shards.shard_files(folder)))[-_RECENT:]
    alone = sorted(_times(parts))[-_RECENT:]
    rate = _rate(whole)
    return _rate(alone) if len(alone) >= 2 or rate is None else size * rate


# --- Training -----------------------------------------------------------------------------------------


def _training(folder: pathlib.Path) -> Training:
    if not (folder / "run.json").exists():  # a published base has not been trained here
        return Training("done" if is_finished(folder) else "waiting", 0, 0, None, None)
    n_steps = read_json(folder / "run.json")["steps"]["n_steps"]
    rows = [row for row in map(json.loads, whole_lines(folder / "metrics.jsonl")) if "loss" in row]
    last = rows[-1] if rows else {"step": 0, "loss": None}
    state = "done" if is_finished(folder) else "begun"
    seconds = [row["step_seconds"] for row in rows[-_STEPS:] if row.get("step_seconds")]
    rate = len(seconds) / sum(seconds) if seconds else None
    return Training(state, n_steps if state == "done" else last["step"], n_steps, rate, last["loss"])


def _rate(times: Sequence[float]) -> float | None:
    """Events a second."""
    if len(times) < 2 or times[-1] <= times[0]:
        return None
    return (len(times) - 1) / (times[-1] - times[0])


# --- Words --------------------------------------------------------------------------------------------


def render(status: Status) -> str:
    """A few lines for each round."""
    what = "finished" if status.finished else "not finished"
    lines = [f"{status.name}, seed {status.seed}: {what}; last written to {duration(status.seconds_since)} ago"]
    lines.append(f"base          {_trained(status.base)}")
    for one in status.rounds:
        lines += [f"round {one.number}", f"  search      {_searched(one.search)}"]
        if one.data is not None:
            lines.append(f"  data        {one.data['sft_rows']:,} SFT rows, {one.data['pair_rows']:,} pairs")
        lines += [f"  policy      {_trained(one.policy)}", f"  PPM         {_trained(one.ppm)}"]
        for name, (done, total) in one.evaluations.items():
            lines.append(f"  evaluation  {name}: {done:,} of {total:,} problems")
    for failure in status.failures[-3:]:
        lines.append(f"failed {failure['time']}: {failure['what']}")
    return "\n".join(lines)


def _searched(search: Search) -> str:
    if search.state == "waiting":
        return "waiting"
    if search.state == "done" and not search.done:
        return "in another run"
    solved = sum(solved for _, solved in search.levels.values())
    parts = [f"{search.done:,} of {search.total:,} problems, {_share(solved, search.done)} solved"]
    levels = [f"{level} {_share(solved, done)} of {done:,}" for level, (done, solved) in search.levels.items() if done]
    parts.append(f"({', '.join(levels)})" if levels else "")
    if search.left_out:
        parts.append(f"{search.left_out:,} left out by the budget")
    return " ".join(part for part in parts if part) + _pace(search, "problems")


def _trained(training: Training) -> str:
    if training.state == "waiting":
        return "waiting"
    if not training.total:
        return "published"
    loss = "" if training.loss is None else f", loss {training.loss:.4f}"
    return f"step {training.done:,} of {training.total:,}{loss}" + _pace(training, "steps")


def _pace(stage: Stage, unit: str) -> str:
    left = stage.seconds_left
    return "" if left is None else f"; {stage.per_second:.3g} {unit}/s, about {duration(left)} left"


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.1%}" if whole else "none"


def duration(seconds: float) -> str:
    """In the two largest units that it has."""
    whole = round(seconds)
    days, hours, minutes = whole // 86_400, whole // 3600 % 24, whole // 60 % 60
    units = ((days, "d"), (hours, "h"), (minutes, "min"), (whole % 60, "s"))
    first = next((place for place, (count, _) in enumerate(units) if count), 3)
    return " ".join(f"{count} {unit}" for count, unit in units[first : first + 2])


@dataclasses.dataclass(frozen=True)
class Flags:
    """run_dir: of the run. json: print everything as JSON."""

    run_dir: tyro.conf.Positional[pathlib.Path]
    json: bool = False


def main() -> None:
    flags = tyro.cli(Flags, description=__doc__)
    status = read_status(flags.run_dir)
    print(json.dumps(dataclasses.asdict(status), indent=2) if flags.json else render(status))


if __name__ == "__main__":
    run_main(main)
