"""Many hosts as one: how the processes of a run meet, and what one of them does for all.

On a slice every host runs the same command. JAX's coordination service lets them find each other; from then on
`jax.devices()` are those of all, and every process must run the same computations in the same order.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TypeVar

import jax
from jax.experimental import multihost_utils

from rstar_jax.errors import InputError

T = TypeVar("T")


@dataclasses.dataclass(frozen=True)
class Hosts:
    """Where the processes of a run meet.

    Attributes:
      coordinator: host:port of the first process; None: JAX finds out by itself (Cloud TPU, GKE, Slurm, Open MPI).
      processes: how many there are.
      process: which of them this is, from 0.
    """

    coordinator: str | None = None
    processes: int | None = None
    process: int | None = None

    def __post_init__(self) -> None:
        given = [self.coordinator is not None, self.processes is not None, self.process is not None]
        if any(given) and not all(given):
            raise InputError("a coordinator, the number of processes and this one's number are given together or not")
        if self.processes is not None and not 0 <= (self.process or 0) < self.processes:
            raise InputError(f"there is no process {self.process} of {self.processes}: they are numbered from 0")


def join_if(distributed: bool, hosts: Hosts) -> None:
    """`join` if asked to. Raises InputError: it is said where, and not that."""
    if hosts != Hosts() and not distributed:
        raise InputError("--coordinator, --processes and --process are for --distributed")
    if distributed:
        join(hosts)


def join(hosts: Hosts) -> None:
    """Meet the other processes; before anything else asks JAX for its devices.

    Raises InputError: nothing says where they meet.
    """
    try:
        jax.distributed.initialize(hosts.coordinator, hosts.processes, hosts.process)
    except ValueError as error:
        if hosts.coordinator is not None:
            raise
        raise InputError(f"JAX does not know of other hosts here ({error}); name the coordinator") from error


def first_alone(work: Callable[[], T]) -> T:
    """`work()` of every process, the first one's before the others'. For work that finds out what is there already.

    If the first one's fails, the others try, and most likely fail in the same way rather than wait forever.
    """
    if jax.process_count() == 1:
        return work()
    if jax.process_index() == 0:
        try:
            return work()
        finally:
            multihost_utils.sync_global_devices("the first process is ready")
    multihost_utils.sync_global_devices("the first process is ready")
    return work()
