"""The search of a round on a Ray cluster: hosts take shards of problems until there are none left.

    python experiments/search_cluster.py --config qwen2_5_math_7b --run-dir /shared/run --round 2 \\
        --hosts 16 --resources TPU=4 --mesh 1 1 4

Run it on a machine of the cluster, or as a Ray job; the run directory has to be one that all hosts see. Hosts may die,
hang and come back. Trees are those of one machine (`rstar_jax/search/cluster.py`). Needs `pip install .[ray]`.

Hardware: that of the config, for each host.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import os
import pathlib
from collections.abc import AsyncIterator

import tyro
from common import COMPILED, Flags, checked_config, failures_noted, run_dir

from rstar_jax.errors import InputError, run_main
from rstar_jax.evolution.config import EvolutionConfig
from rstar_jax.evolution.failures import note_failure
from rstar_jax.evolution.lab import open_lab
from rstar_jax.evolution.problem_set import load_problems
from rstar_jax.evolution.rounds import Round
from rstar_jax.evolution.run_dir import RunDir
from rstar_jax.evolution.search_stage import growing, shards_of
from rstar_jax.evolution.stages import set_up_jax
from rstar_jax.models.sharding import make_mesh
from rstar_jax.search.cluster import ClusterConfig, Trouble, search
from rstar_jax.search.members import import_ray
from rstar_jax.search.progress import say
from rstar_jax.search.runner import Grow
from rstar_jax.search.shards import survey


@dataclasses.dataclass(frozen=True, kw_only=True)
class ClusterFlags(Flags):
    """Attributes:
      round: whose search.
      hosts: actors, each with an engine on a mesh of the sizes --mesh.
      resources: what an actor asks Ray for, as NAME=NUMBER: all of a host's chips, so that it has the host to itself.
      address: of the cluster; "auto" is the one that this machine belongs to.
      attempts: of a shard.
      stall_minutes: without a finished problem, after which an actor is taken for hung.
    """

    round: int
    hosts: int
    resources: tuple[str, ...] = ("CPU=1",)
    address: str = "auto"
    attempts: int = 5
    stall_minutes: float = 60.0


def read_resources(texts: tuple[str, ...]) -> dict[str, float]:
    """Of ("TPU=4",). Raises InputError."""
    found: dict[str, float] = {}
    for text in texts:
        name, _, number = text.partition("=")
        try:
            found[name] = float(number)
        except ValueError:
            raise InputError(f"{text!r} is no resource: it has to be NAME=NUMBER, such as TPU=4") from None
    return found


@contextlib.asynccontextmanager
async def open_grow(
    config: EvolutionConfig, run: RunDir, round: Round, mesh: tuple[int, int, int]
) -> AsyncIterator[Grow]:
    """In an actor: a lab of its own, with the models of the round before."""
    set_up_jax(COMPILED)
    async with open_lab(config, run, make_mesh(*mesh)) as lab, growing(lab, round) as grow:
        yield grow


def go() -> None:
    flags = tyro.cli(ClusterFlags, description=__doc__)
    ray, config = import_ray(), checked_config(flags)
    run = RunDir(run_dir(flags).root.absolute())  # actors may have another current folder
    round = config.round(flags.round)
    cluster = ClusterConfig(
        flags.hosts,
        read_resources(flags.resources),
        attempts=flags.attempts,
        stall_seconds=60 * flags.stall_minutes,
        concurrency=config.concurrency,
    )
    problems = load_problems(run, config.problems, config.seed)[0]
    found = shards_of(config, run, problems, round, flags.hosts)
    paths = os.pathsep.join((str(pathlib.Path(__file__).parent), os.environ.get("PYTHONPATH", "")))
    ray.init(address=flags.address, runtime_env={"env_vars": {"PYTHONPATH": paths}}, log_to_driver=False)
    grow = functools.partial(open_grow, config, run, round, flags.mesh)

    def trouble(what: Trouble) -> None:
        say(str(what))
        note_failure(run.root, what)

    with failures_noted(run):
        search(survey(found), grow, cluster, label=f"round {flags.round} search", budget=round.budget, trouble=trouble)


if __name__ == "__main__":
    run_main(go)
