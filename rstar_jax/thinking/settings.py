"""How models are asked: search, sampling, sizes of engines, limits of programs. A run has written down its own."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Mapping
from typing import Any, Literal, TypeVar

from rstar_jax.errors import InputError
from rstar_jax.evolution.run_dir import RunDir
from rstar_jax.execution import ExecutorConfig
from rstar_jax.files import read_json
from rstar_jax.inference.config import EngineConfig, Sampling
from rstar_jax.search import presets
from rstar_jax.search.config import SearchConfig
from rstar_jax.trajectory.prompts import PLAIN_FRAME, PromptFrame

Dtype = Literal["float32", "bfloat16"]
T = TypeVar("T")

LONGEST_CONTEXT, LONGEST_STEP = 4096, 2048  # tokens; the released code's


@dataclasses.dataclass(frozen=True)
class Settings:
    """engine, scoring: of policy and PPM. dtype: of weights; by default as they are stored."""

    search: SearchConfig
    sampling: Sampling
    engine: EngineConfig
    scoring: EngineConfig
    executor: ExecutorConfig = ExecutorConfig()
    frame: PromptFrame = PLAIN_FRAME
    dtype: Dtype | None = None

    def __post_init__(self) -> None:
        if self.search.needs_grader:
            raise ValueError("the search values answers by ground truth, which nobody has here")


def default_settings(max_length: int) -> Settings:
    """For models that come without a run. max_length: of contexts that both models were made for."""
    context = min(max_length, LONGEST_CONTEXT)
    engine = EngineConfig(max_length=context)
    sampling = Sampling(max_tokens=min(LONGEST_STEP, context))
    return Settings(presets.default("eval"), sampling, engine, engine)


def settings_of(run: RunDir) -> Settings:
    """Those with which a run has evaluated its models (System 2).

    Raises InputError: the run's `config.json` is of another version, or its search needs ground truth.
    """
    found = read_json(run.config)
    try:
        return Settings(
            search=_read(SearchConfig, found["evaluation"]["search"]),
            sampling=_read(Sampling, found["sampling"]),
            engine=_read(EngineConfig, found["engine"]),
            scoring=_read(EngineConfig, found["scoring"]),
            executor=_read(ExecutorConfig, found["executor"]),
            frame=_read(PromptFrame, found["frame"]),
            dtype=found["serve_in"],
        )
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{run.config}: not a config of this version of rstar_jax ({error!r})") from error


def run_of(model: pathlib.Path) -> RunDir | None:
    """The run that a model was trained in (`RUN/roundN/policy`), if it lies in one."""
    run = RunDir(model.absolute().parent.parent)
    number = model.absolute().parent.name.removeprefix("round")
    return run if number.isdecimal() and run.config.exists() else None


def _read(kind: type[T], values: Mapping[str, Any]) -> T:
    """A flat config as `dataclasses.asdict` and JSON have left it: tuples are lists there."""
    return kind(**{name: tuple(value) if isinstance(value, list) else value for name, value in values.items()})
