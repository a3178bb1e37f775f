"""Landlock: the kernel refuses every file but those named, and TCP and signals to the outside (Linux 5.13).

By ctypes: the `landlock` package is an alpha without signal scoping, and three calls need no library.
"""

from __future__ import annotations

import ctypes
import errno
import os
import stat
from collections.abc import Iterable

from .. import system

_VERSION = 1  # flag of landlock_create_ruleset
_PATH_BENEATH = 1
_READ_FILE, _READ_DIR = 1 << 2, 1 << 3
_EXECUTE = 1 << 0
_FS_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}  # number of file rights that each version knows
_NET_RIGHTS = 0b11  # bind and connect; version 4
_SCOPES = 0b11  # abstract sockets and signals; version 6


class _Ruleset(ctypes.Structure):
    _fields_ = (("fs", ctypes.c_uint64), ("net", ctypes.c_uint64), ("scoped", ctypes.c_uint64))


class _PathBeneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("allowed", ctypes.c_uint64), ("parent", ctypes.c_int32))


def version() -> int:
    """The kernel's Landlock version; 0 where it has none or has it switched off."""
    try:
        return system.call("landlock_create_ruleset", 0, 0, _VERSION)
    except OSError as error:
        if error.errno in (errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM):
            return 0
        raise


def restrict(readable: Iterable[str]) -> None:
    """Leave this process and its children nothing but reading what lies in `readable`. Raises OSError.

    Paths that do not exist are left out. The process must have no_new_privs set.
    """
    known = version()
    rights = (1 << _FS_RIGHTS[min(known, max(_FS_RIGHTS))]) - 1
    ruleset = _Ruleset(rights, _NET_RIGHTS if known >= 4 else 0, _SCOPES if known >= 6 else 0)
    # An older kernel takes no fields that it does not know unless they are zero.
    fd = system.call("landlock_create_ruleset", ctypes.addressof(ruleset), ctypes.sizeof(ruleset), 0)
    try:
        for path in readable:
            _allow(fd, path)
        system.call("landlock_restrict_self", fd, 0)
    finally:
        os.close(fd)


def _allow(ruleset: int, path: str) -> None:
    try:
        parent = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return
    try:
        folder = stat.S_ISDIR(os.fstat(parent).st_mode)
        rule = _PathBeneath(_READ_FILE | (_READ_DIR if folder else 0), parent)
        system.call("landlock_add_rule", ruleset, _PATH_BENEATH, ctypes.addressof(rule), 0)
    finally:
        os.close(parent)
