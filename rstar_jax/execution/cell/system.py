"""The Linux calls that Python's `os` lacks, by ctypes: a fork without hooks, prctl, and calls by number."""

from __future__ import annotations

import ctypes
import functools
import os
import signal

from .sandbox import syscalls

CLONE_PARENT = 0x00008000  # the new process becomes a sibling, not a child
PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_SET_KEEPCAPS = 8
PR_SET_CHILD_SUBREAPER = 36
PR_SET_NO_NEW_PRIVS = 38
CAP_DAC_READ_SEARCH = 1 << 2
CAPABILITY_VERSION = 0x20080522  # two 32-bit words for each of effective, permitted, inheritable
MADV_COLLAPSE = 25
HUGE_PAGE_BITS = 21


@functools.cache
def _libc() -> ctypes.PyDLL:
    libc = ctypes.PyDLL(None, use_errno=True)  # PyDLL: keeps the interpreter's lock through the call
    libc.syscall.restype = ctypes.c_long
    libc.syscall.argtypes = [ctypes.c_long] * 6
    libc.prctl.argtypes = [ctypes.c_int] + [ctypes.c_ulong] * 4
    libc.madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    return libc


@functools.cache
def _number(name: str) -> int:
    return syscalls.number(name)


def call(name: str, *arguments: int) -> int:
    """A system call by name with up to five arguments. Raises OSError."""
    padded = (*arguments, 0, 0, 0, 0, 0)[:5]
    return _check(_libc().syscall(_number(name), *padded))


def clone(flags: int = 0) -> int:
    """fork(2) with flags and without Python's hooks: 0 in the new process, else its pid. Raises OSError.

    os.fork() seeds `random` anew in the child, so `random.seed(42)` in one step would be gone in the next.
    The raw call copies the process as it is. It is right only while the process has a single thread.
    """
    return call("clone", flags | signal.SIGCHLD)


def die_with(parent: int, number: signal.Signals = signal.SIGKILL) -> None:
    """Let the kernel send this process a signal when its parent ends; exit now if that has happened already."""
    _prctl(PR_SET_PDEATHSIG, number)
    if os.getppid() != parent:
        os._exit(1)


def adopt_orphans() -> None:
    """Become the parent of every descendant whose own parent ends."""
    _prctl(PR_SET_CHILD_SUBREAPER, 1)


def gain_no_privileges() -> None:
    """No program that this process starts can have more rights than it has."""
    _prctl(PR_SET_NO_NEW_PRIVS, 1)


def set_dumpable(dumpable: bool) -> None:
    """Whether others of the same user may look into this process, by ptrace or /proc."""
    _prctl(PR_SET_DUMPABLE, int(dumpable))


def become(uid: int, may_read_all: bool) -> None:
    """Turn from root into `uid` for good, without capabilities but, if asked, the one to read every file."""
    _prctl(PR_SET_KEEPCAPS, 1)
    os.setresuid(uid, uid, uid)
    kept = CAP_DAC_READ_SEARCH if may_read_all else 0
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION, 0)
    words = (ctypes.c_uint32 * 6)(kept, kept, 0, 0, 0, 0)
    _check(_libc().capset(header, words))


def collapse(addresses: set[int]) -> int:
    """Put the 2 MB regions around these addresses on huge pages; how many could be (Linux 6.1).

    A fork copies one entry for such a region instead of 512.
    """
    regions = {address >> HUGE_PAGE_BITS for address in addresses}
    size = 1 << HUGE_PAGE_BITS
    return sum(_libc().madvise(region << HUGE_PAGE_BITS, size, MADV_COLLAPSE) == 0 for region in sorted(regions))


def _prctl(option: int, value: int) -> None:
    _check(_libc().prctl(option, value, 0, 0, 0))


def _check(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result
