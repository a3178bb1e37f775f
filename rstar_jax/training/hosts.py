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
from jax.sharding import Mesh

from rstar_jax.errors import InputError
from rstar_jax.models.sharding import make_mesh

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


def mesh_over_all(data: int, fsdp: int, tensor: int) -> Mesh:
    """A mesh of the devices that are there: of all, if there are several processes.

    Raises InputError: there are fewer, or some would be left without work while their process waits.
    """
    wanted, found, processes = data * fsdp * tensor, jax.device_count(), jax.process_count()
    if wanted > found or (wanted < found and processes > 1):
        raise InputError(
            f"--mesh {data} {fsdp} {tensor} is for {wanted} devices; here are {found}, of {processes} processes in all"
        )
    return make_mesh(data, fsdp, tensor)
