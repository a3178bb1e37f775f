"""Resource limits and privileges."""

from __future__ import annotations

import os
import resource
import sys

from . import system

OWN_UID_BASE = 0x7000_0000  # far above the ids that systems hand out; the cell's pid is added
OWN_UID_PROCESSES = 20_000  # all paused ones of a cell count
BACKSTOP_CPU_SECONDS = 3600
STACK_BYTES = 64 << 20
MAPPED_BYTES = 4 << 30  # more than all libraries take
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


def limit_supervisor() -> None:
    """Room for one descriptor per paused process."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def limit_nodes(memory_bytes: int, own_uid: bool) -> None:
    """Limits of the processes that are to run model-written code, and of all that they fork.

    The time limits of a step are the supervisor's affair: CPU seconds here only end what has lost it.
    """
    if own_uid:
        _cap(resource.RLIMIT_NPROC, OWN_UID_PROCESSES)
    _cap(resource.RLIMIT_CPU, BACKSTOP_CPU_SECONDS)
    _cap(resource.RLIMIT_DATA, memory_bytes)
    _cap(resource.RLIMIT_AS, memory_bytes + MAPPED_BYTES)  # page tables of what is only read are not data
    _cap_stack()
    _cap(resource.RLIMIT_NOFILE, MAX_FILES)
    _cap(resource.RLIMIT_CORE, 0)
    _cap(resource.RLIMIT_FSIZE, 0)
    _cap(resource.RLIMIT_MEMLOCK, 0)
    _cap(resource.RLIMIT_MSGQUEUE, 0)


def _cap_stack() -> None:
    """Keep the usual limit of the stack, but let there be one: it is not data either."""
    soft, _ = resource.getrlimit(resource.RLIMIT_STACK)
    _cap(resource.RLIMIT_STACK, STACK_BYTES if soft == resource.RLIM_INFINITY else min(soft, STACK_BYTES))


def _cap(which: int, value: int) -> None:
    """Set both limits to `value`, or to the hard limit where that is lower already."""
    _, hard = resource.getrlimit(which)
    if hard != resource.RLIM_INFINITY:
        value = min(value, hard)
    resource.setrlimit(which, (value, value))
