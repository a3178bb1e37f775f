"""Puts the layers on, as many as the host permits, and says which hold.

Two are put on before this package runs: the clean environment and the namespaces (`launch`, outside). The
others go on in the cell's first process, from which all that run model-written code descend.
"""

from __future__ import annotations

import dataclasses
import os
import sys
import sysconfig
from collections.abc import Collection, Iterable

from .. import system
from . import bpf, landlock, seccomp, syscalls

LAYERS = {
    "namespaces": "no file system, process list and network of its own: a hole in another layer reaches the host",
    "user": "model-written code runs as root: no limit on its processes, and files elsewhere belong to it",
    "landlock": "the kernel does not refuse file names: world-readable files can be read unless namespaces hide them",
    "seccomp": "system calls are not filtered: files, network, programs and signals are open",
    "fork guard": "a node's fork is told by its flags alone: a hostile program may start up to RLIMIT_NPROC processes",
    "limits": "no limits on memory, files and core dumps",
}
"""Names of the layers, and what it means when one is missing."""

DEVICES = ("/dev/null", "/dev/zero", "/dev/random", "/dev/urandom")
_SYSTEM_LIBRARIES = ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib", "/etc/ld.so.cache")
_TIME_ZONES = "/usr/share/zoneinfo"


@dataclasses.dataclass(frozen=True)
class Sandbox:
    """What was put on. `missing`: layer to reason. `listener`: where forks are asked for, or None."""

    missing: dict[str, str]
    listener: int | None


def readable_paths() -> list[str]:
    """The interpreter's own files: its library, the packages beside it, and the system's shared libraries."""
    names = ("stdlib", "platstdlib", "purelib", "platlib")
    prefixes = [prefix for prefix in (sys.prefix, sys.base_prefix) if prefix != "/usr"]
    own = [sysconfig.get_path(name) for name in names] + [os.path.join(prefix, "lib") for prefix in prefixes]
    return sorted({*own, *_SYSTEM_LIBRARIES, _TIME_ZONES, *DEVICES})


def restrict_imports(readable: Iterable[str]) -> None:
    """Take from sys.path what may not be read, such as the folder of an editable installation."""
    inside = tuple(path + os.sep for path in readable)
    sys.path[:] = [entry for entry in sys.path if (entry + os.sep).startswith(inside)]


def put_on(left_out: Collection[str]) -> Sandbox:
    """Restrict this process and all that it will start; layers in `left_out` are left out, for tests.

    Raises nothing for a layer that the kernel refuses: it is reported as missing.
    """
    missing: dict[str, str] = {}
    system.gain_no_privileges()
    if "landlock" in left_out:
        missing["landlock"] = "left out"
    elif landlock.version() == 0:
        missing["landlock"] = "this kernel does not offer it"
    else:
        landlock.restrict(readable_paths())
    # The supervisor reads a node's memory use in /proc, which asks for this; nodes get there only without Landlock.
    system.set_dumpable("landlock" not in missing)
    listener = None
    if "seccomp" in left_out:
        missing["seccomp"] = missing["fork guard"] = "left out"
    else:
        try:
            listener = _filter("fork guard" not in left_out, missing)
        except OSError as error:
            missing["seccomp"] = missing["fork guard"] = str(error)
    return Sandbox(missing, listener)


def seal(sandbox: Sandbox) -> None:
    """Close what was left open for handing over the listener."""
    if "seccomp" not in sandbox.missing:
        seccomp.load(seccomp.seal(syscalls.machine()))


def _filter(guarded: bool, missing: dict[str, str]) -> int | None:
    machine = syscalls.machine()
    reason = "left out"
    if guarded:
        try:
            return seccomp.load(seccomp.allow_list(machine, bpf.NOTIFY), seccomp.NEW_LISTENER)
        except OSError as error:  # before Linux 5.5, or there is a listener already
            reason = str(error)
    missing["fork guard"] = reason
    seccomp.load(seccomp.allow_list(machine, bpf.ALLOW))
    return None
