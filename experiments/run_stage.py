"""One stage of a run, or this process's part of one: how a run goes on where every stage is a job of its own.

    python experiments/run_stage.py --config cpu --run-dir runs/cpu --stage search --round 2 --shard 3/16
    python experiments/run_stage.py --config cpu --run-dir runs/cpu --stage policy --round 2 --distributed

Stages are search, data, policy, ppm and evaluation of each round, and base, evaluation and report of round 0; a stage
whose turn it is not says which one's it is. Search and evaluation may be cut into shards, one for each process; policy,
PPM and base may be trained by several processes together (`--distributed`). What is done already is not done again.
After SIGTERM training saves; the exit code is then 143, unless the stage is over.

Hardware: that of the config.
"""

from __future__ import annotations

import asyncio
import dataclasses
import re

import tyro
from common import COMPILED, Flags, checked_config, in_lab, run_dir

from rstar_jax.errors import EXIT_TERMINATED, InputError, run_main
from rstar_jax.evolution.lab import Lab
from rstar_jax.evolution.machine import Stage, is_done, run_stage
from rstar_jax.evolution.stages import set_up_jax
from rstar_jax.search.runner import Share
from rstar_jax.training.hosts import Hosts, join_if


@dataclasses.dataclass(frozen=True, kw_only=True)
class StageFlags(Flags):
    """Attributes:
      stage, round: which.
      shard: i/n, this process's part of a search or an evaluation: every n-th, from number i (from 0) on.
      distributed: this process is one of several that train together, one on each host; on Cloud TPU, GKE and Slurm
        they find each other, elsewhere say where they meet:
      coordinator, processes, process: host:port of the first process, how many there are, and which this one is.
    """

    stage: str
    round: int = 0
    shard: str = "0/1"
    distributed: bool = False
    coordinator: str | None = None
    processes: int | None = None
    process: int | None = None


def read_share(text: str) -> Share:
    """Of "i/n". Raises InputError."""
    found = re.fullmatch(r"(\d+)/(\d+)", text)
    if found is None:
        raise InputError(f"{text!r} is no shard: it has to be i/n, such as 0/16")
    return Share(int(found[1]), int(found[2]))


def go() -> int:
    flags = tyro.cli(StageFlags, description=__doc__)
    stage, share = Stage(flags.stage, flags.round), read_share(flags.shard)  # pyright: ignore[reportArgumentType]
    if share.of > 1 and stage.who != "each":
        raise InputError(f"{stage} is not cut into shards; only search and evaluation are")
    if flags.distributed and stage.who != "together":
        raise InputError(f"{stage} does not train; --distributed is for base, policy and ppm")
    set_up_jax(COMPILED)
    join_if(flags.distributed, Hosts(flags.coordinator, flags.processes, flags.process))

    async def work(lab: Lab) -> None:
        await run_stage(lab, stage)

    try:
        asyncio.run(in_lab(flags, work, share))
    except SystemExit as end:  # training has saved after SIGTERM
        return int(end.code or 0) or (0 if is_done(checked_config(flags), run_dir(flags), stage) else EXIT_TERMINATED)
    return 0


if __name__ == "__main__":
    run_main(go)
