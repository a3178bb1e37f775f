"""What the experiment scripts share: flags, config by name, the lab."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import importlib.util
import inspect
import pathlib
from collections.abc import Awaitable, Callable, Iterator
from types import ModuleType
from typing import Any, get_args

import tyro

from rstar_jax.errors import InputError, run_main
from rstar_jax.evolution.bootstrap.openai_server import OpenAIConfig
from rstar_jax.evolution.config import EvolutionConfig
from rstar_jax.evolution.failures import note_failure
from rstar_jax.evolution.lab import Lab, open_lab
from rstar_jax.evolution.presets import Preset
from rstar_jax.evolution.run_dir import RunDir, claim
from rstar_jax.evolution.stages import set_up_jax
from rstar_jax.models.sharding import make_mesh
from rstar_jax.reproduction.plan import StudyPlan
from rstar_jax.search.progress import say
from rstar_jax.search.runner import WHOLE, Share

_CONFIGS = pathlib.Path(__file__).parent / "configs"
_ROOT = pathlib.Path(__file__).parents[1]
COMPILED = str(_ROOT / "runs" / ".compiled")


@dataclasses.dataclass(frozen=True)
class Flags:
    """config: a name in experiments/configs or a path to such a file, with `:paper` or `:released` behind it where the
    config has both. run_dir: by default runs/CONFIG-sSEED.

    require_sandbox: refuse to run where the sandbox of the executor would have a hole.
    server: address of the bootstrap model's server, if it is not the config's.
    """

    config: str = "cpu"
    seed: int = 0
    run_dir: pathlib.Path | None = None
    mesh: tuple[int, int, int] = (1, 1, 1)  # sizes of the axes data, fsdp, tensor
    require_sandbox: bool = False
    server: str | None = None


def load_config(name: str, seed: int) -> EvolutionConfig:
    """The config that a Python file defines by `config(seed)` or, for "NAME:PRESET", by `config(seed, preset)`."""
    module, preset = _config_module(name)
    return module.config(seed, preset) if preset else module.config(seed)


def load_study(name: str) -> StudyPlan:
    """How a config's tables are made: its `study()`, or `study(preset)`.

    Raises InputError: the config has none.
    """
    module, preset = _config_module(name)
    if not hasattr(module, "study"):
        raise InputError(f"{name} has no tables of its own; they are those of the run that it starts from")
    return module.study(preset) if preset else module.study()


def _config_module(name: str) -> tuple[ModuleType, str]:
    """A config's file as a module, and the preset that is asked for ("": none)."""
    name, colon, preset = name.partition(":")
    path = pathlib.Path(name) if name.endswith(".py") else _CONFIGS / f"{name}.py"
    if not path.exists():
        known = ", ".join(sorted(file.stem for file in _CONFIGS.glob("*.py")))
        raise InputError(f"there is no config {name!r} ({path}); known are {known}")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise InputError(f"{path} is no Python file")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    known = get_args(Preset) if "preset" in inspect.signature(module.config).parameters else ()
    if colon and preset not in known:
        raise InputError(f"the config {name} has no preset {preset!r}; {' and '.join(known) or 'it has none'}")
    return module, preset


def run_dir(flags: Flags) -> RunDir:
    name, _, preset = flags.config.partition(":")
    root = flags.run_dir or _ROOT / "runs" / "-".join(filter(None, (pathlib.Path(name).stem, preset, f"s{flags.seed}")))
    return RunDir(pathlib.Path(root))


def checked_config(flags: Flags) -> EvolutionConfig:
    """The config, with what the flags say; the run directory is claimed for it."""
    config = load_config(flags.config, flags.seed)
    if flags.require_sandbox:
        config = dataclasses.replace(config, executor=dataclasses.replace(config.executor, require_sandbox=True))
    if flags.server is not None:
        if not isinstance(config.bootstrap, OpenAIConfig):
            raise InputError(f"--server {flags.server}: the bootstrap model of {config.name} is no server")
        config = dataclasses.replace(config, bootstrap=dataclasses.replace(config.bootstrap, base_url=flags.server))
    claim(run_dir(flags), config)
    return config


async def in_lab(flags: Flags, work: Callable[[Lab], Awaitable[Any]], share: Share = WHOLE) -> Any:
    """Claim the run directory and do the work there."""
    config, run = checked_config(flags), run_dir(flags)
    with failures_noted(run):
        async with open_lab(config, run, make_mesh(*flags.mesh), share) as lab:
            return await work(lab)


@contextlib.contextmanager
def failures_noted(run: RunDir) -> Iterator[None]:
    """What ends the block stands in the run's list of failures, if that can be written."""
    try:
        yield
    except Exception as error:
        try:
            note_failure(run.root, error)
        except OSError as reason:
            say(f"the failure could not be noted in {run.root}: {reason}")
        raise


def main(work: Callable[[Lab], Awaitable[Any]], doc: str | None) -> None:
    """The entry point of a round's script."""
    flags = tyro.cli(Flags, description=doc)

    def go() -> None:
        set_up_jax(COMPILED)
        asyncio.run(in_lab(flags, work))

    run_main(go)
