"""What both commands are told about models and machine."""

from __future__ import annotations

import dataclasses
import pathlib

import jax

from rstar_jax.errors import InputError
from rstar_jax.thinking.models import Models, find_models
from rstar_jax.thinking.settings import Dtype, Settings


@dataclasses.dataclass(frozen=True)
class ModelFlags:
    """What is not given is as the models' run has it; without a run, as the paper's test has it."""

    model: str | None = None  # the policy, a folder or a Hub id; by default of the example's newest finished run
    ppm: str | None = None  # its process preference model
    runs: pathlib.Path = pathlib.Path("runs")  # where that run is looked for, and where compiled programs are kept
    temperature: float | None = None  # of the steps that are drawn
    context: int | None = None  # tokens of question and solution together
    memory_fraction: float | None = None  # share of the device's memory for keys and values, of policy and PPM each
    dtype: Dtype | None = None  # of weights; by default as they are stored
    mesh: tuple[int, int, int] = (1, 1, 1)  # sizes of the axes data, fsdp, tensor
    require_sandbox: bool = False  # refuse to run Python where the sandbox would have a hole


def models_of(flags: ModelFlags) -> Models:
    """The models, with settings as the flags want them.

    Raises InputError: there are none, or a flag has an impossible value.
    """
    found = find_models(flags.model, flags.ppm, flags.runs)
    try:
        return dataclasses.replace(found, settings=changed(found.settings, flags))
    except ValueError as error:
        raise InputError(f"a flag has an impossible value: {error}") from error


def changed(settings: Settings, flags: ModelFlags) -> Settings:
    """Raises ValueError for what a config refuses."""
    sizes = _given(max_length=flags.context, memory_fraction=flags.memory_fraction)
    if flags.memory_fraction is not None:
        sizes["pages"] = None  # which would hold instead
    return dataclasses.replace(
        settings,
        sampling=dataclasses.replace(settings.sampling, **_given(temperature=flags.temperature)),
        engine=dataclasses.replace(settings.engine, **sizes),
        scoring=dataclasses.replace(settings.scoring, **sizes),
        executor=dataclasses.replace(settings.executor, **_given(require_sandbox=flags.require_sandbox or None)),
        **_given(dtype=flags.dtype),
    )


def _given(**values: object) -> dict[str, object]:
    return {name: value for name, value in values.items() if value is not None}


def keep_compiled(flags: ModelFlags) -> None:
    """Programs that are compiled now are read at the next start; must run before anything is compiled."""
    if flags.runs.is_dir():
        jax.config.update("jax_compilation_cache_dir", str((flags.runs / ".compiled").absolute()))
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.5)
