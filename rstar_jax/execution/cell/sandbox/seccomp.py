"""The system calls that model-written code may make: a list of what is allowed; all else fails with EPERM.

What the list leaves out: opening a file for writing, shared memory, pipes and sockets (siblings would share
them), new programs, threads, signals to anybody, ptrace, namespaces, and changes of limits or users. `clone`
is let through with one exact set of flags, and then only when the supervisor says so (`notify`).

The filter is loaded in two parts: the first still lets the process hand its notification descriptor to the
supervisor, the second closes that too.
"""

from __future__ import annotations

import ctypes
import errno
import os
import signal

from .. import system
from . import bpf, syscalls
from .bpf import Rule, Test

SECCOMP_SET_MODE_FILTER = 1
NEW_LISTENER = 1 << 3
PR_SET_PDEATHSIG = 1

_HARMLESS = """
read readv pread64 write writev close lseek
stat lstat fstat newfstatat statx access faccessat faccessat2 readlink readlinkat getcwd getdents64
dup dup2 dup3 poll ppoll select pselect6 recvfrom recvmsg getsockname getsockopt shutdown
munmap mprotect mremap madvise brk
rt_sigaction rt_sigprocmask rt_sigreturn rt_sigpending sigaltstack pause
alarm setitimer getitimer nanosleep clock_nanosleep clock_gettime clock_getres gettimeofday time times
getpid getppid gettid getpgrp getpgid getsid getuid geteuid getgid getegid getresuid getresgid getgroups
getrusage getrlimit sched_yield sched_getaffinity getpriority getcpu
futex set_robust_list get_robust_list rseq set_tid_address restart_syscall arch_prctl membarrier
uname sysinfo getrandom umask exit exit_group
"""
_ONLY_BEFORE_SEALING = ("sendmsg", "seccomp")
_WRITING = os.O_ACCMODE | os.O_CREAT | os.O_TRUNC | 0o20000000  # the last: O_TMPFILE without O_DIRECTORY
_MAP_KIND, _MAP_PRIVATE = 0xF | 0x100, 0x2  # 0x100: MAP_GROWSDOWN, memory that RLIMIT_DATA takes for a stack
_INT = 0xFFFFFFFF  # the kernel looks at 32 bits of these arguments
# What belongs to the process alone: other flags of an open file are seen by all that have inherited it.
_IOCTLS = (0x5401, 0x541B, 0x5450, 0x5451)  # TCGETS (isatty), FIONREAD, FIONCLEX, FIOCLEX
_FCNTLS = (0, 1, 2, 3, 1030)  # DUPFD, GETFD, SETFD, GETFL, DUPFD_CLOEXEC


def allow_list(machine: str, on_clone: int) -> bytes:
    """The first filter. `on_clone` is the action for a fork as `system.clone(CLONE_PARENT)` makes it."""
    numbers = syscalls.NUMBERS[machine]
    fork_flags = system.CLONE_PARENT | signal.SIGCHLD
    special = [
        ("openat", (Test(2, 0, _WRITING),)),
        ("open", (Test(1, 0, _WRITING),)),
        ("mmap", (Test(3, _MAP_PRIVATE, _MAP_KIND),)),
        ("sendto", (Test(4, 0),)),  # send() without an address
        ("prlimit64", (Test(0, 0), Test(2, 0))),  # reading one's own
        ("prctl", (Test(0, PR_SET_PDEATHSIG, _INT), Test(1, signal.SIGKILL))),
        *[("ioctl", (Test(1, command, _INT),)) for command in _IOCTLS],
        *[("fcntl", (Test(1, command, _INT),)) for command in _FCNTLS],
    ]
    rules = [Rule(numbers[name]) for name in (*_HARMLESS.split(), *_ONLY_BEFORE_SEALING) if name in numbers]
    rules += [Rule(numbers[name], tests=tests) for name, tests in special if name in numbers]
    rules.append(Rule(numbers["clone"], on_clone, (Test(0, fork_flags), *(Test(k, 0) for k in range(1, 5)))))
    # Libraries fall back to the older calls, whose arguments a filter can see.
    rules += [Rule(numbers[name], bpf.errno(errno.ENOSYS)) for name in ("clone3", "openat2")]
    return bpf.assemble(syscalls.AUDIT_ARCH[machine], rules, bpf.errno(errno.EPERM))


def seal(machine: str) -> bytes:
    """The second filter."""
    numbers = syscalls.NUMBERS[machine]
    rules = [Rule(numbers[name], bpf.errno(errno.EPERM)) for name in _ONLY_BEFORE_SEALING]
    return bpf.assemble(syscalls.AUDIT_ARCH[machine], rules, bpf.ALLOW)


def load(program: bytes, flags: int = 0) -> int:
    """Load a filter for good. With NEW_LISTENER the notification descriptor, else 0. Raises OSError.

    The process must have no_new_privs set.
    """
    array = ctypes.create_string_buffer(program, len(program))
    header = _Program(len(program) // 8, ctypes.addressof(array))
    return system.call("seccomp", SECCOMP_SET_MODE_FILTER, flags, ctypes.addressof(header))


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))
