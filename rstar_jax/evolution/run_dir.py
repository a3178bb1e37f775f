"""Where a run keeps what, and the check that a folder belongs to its config.

    config.json  problems/{train,test}.jsonl  base/  report/
    roundN/trees/shard-*.parquet   the search
    roundN/data/{sft,pairs,selection}.jsonl
    roundN/tokens/{policy,ppm}     the same in tokens, as they are learned
    roundN/policy  roundN/ppm      models; roundN/{orm,pqm} where they are compared (Table 8)
    roundN/evaluation/NAME/        one per pair of policy and PPM
"""

from __future__ import annotations

import dataclasses
import json
import pathlib
import re
from typing import Any

from rstar_jax.errors import InputError
from rstar_jax.evolution.config import EvolutionConfig
from rstar_jax.files import read_json, write_json

_FREE_OF_THE_EXECUTOR = ("cells", "snapshots", "snapshot_mb", "require_sandbox")
# Fields on which no result depends; and a round's budget, which may be raised until the round has built its data.
_BUDGET = re.compile(r"rounds\[\d+\]\.budget\..*")
_FREE_OF_THE_RUN = ("concurrency", "shard_problems", "name", "bootstrap.base_url")
_FREE = (*_FREE_OF_THE_RUN, *(f"executor.{name}" for name in _FREE_OF_THE_EXECUTOR))


@dataclasses.dataclass(frozen=True)
class RunDir:
    """The layout of a run directory."""

    root: pathlib.Path

    @property
    def config(self) -> pathlib.Path:
        return self.root / "config.json"

    @property
    def problems(self) -> pathlib.Path:
        return self.root / "problems"

    @property
    def base(self) -> pathlib.Path:
        return self.root / "base"

    @property
    def report(self) -> pathlib.Path:
        return self.root / "report"

    @property
    def summary(self) -> pathlib.Path:
        """Written last: a run that has it is finished."""
        return self.report / "summary.json"

    def round(self, number: int) -> pathlib.Path:
        return self.root / f"round{number}"

    def trees(self, number: int) -> pathlib.Path:
        return self.round(number) / "trees"

    def data(self, number: int) -> pathlib.Path:
        return self.round(number) / "data"

    def data_counts(self, number: int) -> pathlib.Path:
        """Counts of a round's data, written once all of it is there."""
        return self.round(number) / "metrics" / "data.json"

    def has_data(self, number: int) -> bool:
        return self.data_counts(number).exists()

    def tokens(self, number: int, job: str) -> pathlib.Path:
        """A round's data as they are learned: "policy" or "ppm", "orm" or "pqm" where they are compared."""
        return self.round(number) / "tokens" / job

    def policy(self, number: int) -> pathlib.Path:
        """Round 0 is the base model."""
        return self.round(number) / "policy" if number else self.base

    def ppm(self, number: int) -> pathlib.Path:
        return self.round(number) / "ppm"

    def baseline(self, number: int, kind: str) -> pathlib.Path:
        """A reward model that the PPM is compared with: "orm" or "pqm"."""
        return self.round(number) / kind

    def evaluation(self, number: int, name: str) -> pathlib.Path:
        return self.round(number) / "evaluation" / name


def claim(run: RunDir, config: EvolutionConfig) -> None:
    """Write the config of a new run, or compare it with the one that began the run.

    Raises:
        InputError: the run was begun with another config; the first differing fields are named.
    """
    wanted = json.loads(json.dumps(dataclasses.asdict(config)))
    if not run.config.exists():
        write_json(run.config, wanted)
        return
    changed = list(_differences(read_json(run.config), wanted, ""))
    names = {line: line.split(":")[0] for line in changed}
    changed = [line for line in changed if names[line] not in _FREE and not _BUDGET.fullmatch(names[line])]
    if changed:
        shown = "; ".join(changed[:3]) + (f"; and {len(changed) - 3} more" if len(changed) > 3 else "")
        raise InputError(f"{run.root}: this run was begun with another config ({shown}); use another --run-dir")


def _differences(old: Any, new: Any, name: str):
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted(old.keys() | new.keys()):
            yield from _differences(old.get(key), new.get(key), f"{name}.{key}".lstrip("."))
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for index, (before, after) in enumerate(zip(old, new, strict=True)):
            yield from _differences(before, after, f"{name}[{index}]")
    elif old != new:
        yield f"{name}: was {old!r}, now {new!r}"
