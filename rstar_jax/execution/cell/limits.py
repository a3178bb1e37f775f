"""Resource limits and privileges."""

from __future__ import annotations

import os
import resource
import sys

from . import system

OWN_UID_BASE = 0x7000_0000  # far above the ids that systems hand out; the cell's pid is added
OWN_UID_PROCESSES = 32
MAX_FILES = 64


def drop_root() -> bool:
    """Leave root for a user id of this process's own; False when not root, or where the kernel refuses the
    id.

    Root is exempt from RLIMIT_NPROC, may write everywhere and may signal anybody. Where Python itself lies
    in a folder that only root may enter, the one right to read is kept.
    """
    if os.getuid() != 0:
        return False
    uid = OWN_UID_BASE + os.getpid()
    folders = [path for path in sys.path if os.path.isdir(path)]
    try:
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.seteuid(uid)
    except OSError:  # a container that does not map the id
        return False
    readable = all(os.access(path, os.R_OK | os.X_OK, effective_ids=True) for path in folders)
    os.seteuid(0)
    system.become(uid, may_read_all=not readable)
    return True


def limit_cell(own_uid: bool) -> None:
    """Limits that a cell and all its nodes share."""
    if own_uid:
        _cap(resource.RLIMIT_NPROC, OWN_UID_PROCESSES)
    _cap(resource.RLIMIT_CORE, 0)
    _cap(resource.RLIMIT_FSIZE, 0)
    _cap(resource.RLIMIT_MEMLOCK, 0)


def limit_node(cpu_seconds: int, memory_bytes: int, final: bool) -> None:
    """Limits of a process that is about to run model-written code.

    CPU time counts from the process's own start; at its limit comes SIGXCPU, which tells why the process
    ended, and a second later SIGKILL. Forking and threads are off; a node that is to be forked later keeps
    its hard limit, so that `allow_forks` can lift the soft one.
    """
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_seconds, cpu_seconds + 1))
    _cap(resource.RLIMIT_DATA, memory_bytes)
    _cap(resource.RLIMIT_NOFILE, MAX_FILES)
    _, hard = resource.getrlimit(resource.RLIMIT_NPROC)
    resource.setrlimit(resource.RLIMIT_NPROC, (0, 0 if final else hard))


def allow_forks() -> None:
    """Lift this process's soft limit on processes, once its model-written code has run."""
    _, hard = resource.getrlimit(resource.RLIMIT_NPROC)
    resource.setrlimit(resource.RLIMIT_NPROC, (hard, hard))


def _cap(which: int, value: int) -> None:
    """Set both limits to `value`, or to the hard limit where that is lower already."""
    _, hard = resource.getrlimit(which)
    if hard != resource.RLIM_INFINITY:
        value = min(value, hard)
    resource.setrlimit(which, (value, value))
