"""System call numbers by machine: those that the filter or this package names, and no others.

From the kernel's unistd_64.h (x86-64) and its generic unistd.h (aarch64, which lacks the older calls).
"""

from __future__ import annotations

import platform

_X86_64 = """
read:0 readv:19 pread64:17 write:1 writev:20 close:3 lseek:8 open:2 openat:257 stat:4 lstat:6 fstat:5
newfstatat:262 statx:332 access:21 faccessat:269 faccessat2:439 readlink:89 readlinkat:267 getcwd:79
getdents64:217 dup:32 dup2:33 dup3:292 fcntl:72 ioctl:16 poll:7 ppoll:271 select:23 pselect6:270 recvfrom:45
recvmsg:47 sendto:44 sendmsg:46 getsockname:51 getsockopt:55 shutdown:48 mmap:9 munmap:11 mprotect:10
mremap:25 madvise:28 brk:12 rt_sigaction:13 rt_sigprocmask:14 rt_sigreturn:15 rt_sigpending:127
sigaltstack:131 pause:34 alarm:37 setitimer:38 getitimer:36 nanosleep:35 clock_nanosleep:230 clock_gettime:228
clock_getres:229 gettimeofday:96 time:201 times:100 getpid:39 getppid:110 gettid:186 getpgrp:111 getpgid:121
getsid:124 getuid:102 geteuid:107 getgid:104 getegid:108 getresuid:118 getresgid:120 getgroups:115
getrusage:98 getrlimit:97 prlimit64:302 sched_yield:24 sched_getaffinity:204 getpriority:140 getcpu:309
futex:202 set_robust_list:273 get_robust_list:274 rseq:334 set_tid_address:218 restart_syscall:219
arch_prctl:158 membarrier:324 uname:63 sysinfo:99 getrandom:318 umask:95 exit:60 exit_group:231 clone:56
clone3:435 openat2:437 prctl:157 seccomp:317 landlock_create_ruleset:444 landlock_add_rule:445
landlock_restrict_self:446
"""
_AARCH64 = """
read:63 readv:65 pread64:67 write:64 writev:66 close:57 lseek:62 openat:56 fstat:80 newfstatat:79 statx:291
faccessat:48 faccessat2:439 readlinkat:78 getcwd:17 getdents64:61 dup:23 dup3:24 fcntl:25 ioctl:29 ppoll:73
pselect6:72 recvfrom:207 recvmsg:212 sendto:206 sendmsg:211 getsockname:204 getsockopt:209 shutdown:210
mmap:222 munmap:215 mprotect:226 mremap:216 madvise:233 brk:214 rt_sigaction:134 rt_sigprocmask:135
rt_sigreturn:139 rt_sigpending:136 sigaltstack:132 setitimer:103 getitimer:102 nanosleep:101
clock_nanosleep:115 clock_gettime:113 clock_getres:114 gettimeofday:169 times:153 getpid:172 getppid:173
gettid:178 getpgid:155 getsid:156 getuid:174 geteuid:175 getgid:176 getegid:177 getresuid:148 getresgid:150
getgroups:158 getrusage:165 getrlimit:163 prlimit64:261 sched_yield:124 sched_getaffinity:123 getpriority:141
getcpu:168 futex:98 set_robust_list:99 get_robust_list:100 rseq:293 set_tid_address:96 restart_syscall:128
membarrier:283 uname:160 sysinfo:179 getrandom:278 umask:166 exit:93 exit_group:94 clone:220 clone3:435
openat2:437 prctl:167 seccomp:277 landlock_create_ruleset:444 landlock_add_rule:445 landlock_restrict_self:446
"""
AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}


def _parse(table: str) -> dict[str, int]:
    return {name: int(number) for name, number in (entry.split(":") for entry in table.split())}


NUMBERS: dict[str, dict[str, int]] = {"x86_64": _parse(_X86_64), "aarch64": _parse(_AARCH64)}


def machine() -> str:
    """Name of this machine. Raises OSError where cells cannot run."""
    name = platform.machine()
    if platform.system() != "Linux" or name not in NUMBERS:
        raise OSError("cells need Linux on x86-64 or aarch64")
    return name


def number(name: str) -> int:
    """Number of a system call on this machine. Raises KeyError where it does not exist."""
    return NUMBERS[machine()][name]
