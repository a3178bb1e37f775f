"""The few Linux calls that Python's `os` lacks, by ctypes: a fork without hooks, and prctl."""

from __future__ import annotations

import ctypes
import functools
import os
import platform
import signal

CLONE_PARENT = 0x00008000  # the new process becomes a sibling, not a child
PR_SET_PDEATHSIG = 1
PR_SET_KEEPCAPS = 8
PR_SET_CHILD_SUBREAPER = 36
CAP_DAC_READ_SEARCH = 1 << 2
CAPABILITY_VERSION = 0x20080522  # two 32-bit words for each of effective, permitted, inheritable
CLONE_NUMBER = {"x86_64": 56, "aarch64": 220}  # the numbers of clone(2)


@functools.cache
def _libc() -> ctypes.PyDLL:
    libc = ctypes.PyDLL(None, use_errno=True)  # PyDLL: keeps the interpreter's lock through the call
    libc.syscall.restype = ctypes.c_long
    libc.syscall.argtypes = [ctypes.c_long] * 6
    libc.prctl.argtypes = [ctypes.c_int] + [ctypes.c_ulong] * 4
    return libc


@functools.cache
def _clone_number() -> int:
    machine = platform.machine()
    if machine not in CLONE_NUMBER or platform.system() != "Linux":
        raise OSError("cells need Linux on x86-64 or aarch64")
    return CLONE_NUMBER[machine]


def clone(flags: int = 0) -> int:
    """fork(2) with flags and without Python's hooks: 0 in the new process, else its pid. Raises OSError.

    os.fork() seeds `random` anew in the child, so `random.seed(42)` in one step would be gone in the next.
    The raw call copies the process as it is. It is right only while the process has a single thread.
    """
    pid = _libc().syscall(_clone_number(), flags | signal.SIGCHLD, 0, 0, 0, 0)
    if pid < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return pid


def die_with(parent: int) -> None:
    """Let the kernel kill this process when its parent ends; exit now if that has happened already."""
    _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def adopt_orphans() -> None:
    """Become the parent of every descendant whose own parent ends."""
    _prctl(PR_SET_CHILD_SUBREAPER, 1)


def become(uid: int, may_read_all: bool) -> None:
    """Turn from root into `uid` for good, without capabilities but, if asked, the one to read every file."""
    _prctl(PR_SET_KEEPCAPS, 1)
    os.setresuid(uid, uid, uid)
    kept = CAP_DAC_READ_SEARCH if may_read_all else 0
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION, 0)
    words = (ctypes.c_uint32 * 6)(kept, kept, 0, 0, 0, 0)
    _check(_libc().capset(header, words))


def _prctl(option: int, value: int) -> None:
    _check(_libc().prctl(option, value, 0, 0, 0))


def _check(result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
