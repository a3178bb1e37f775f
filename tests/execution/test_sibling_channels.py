"""What an ancestor has opened is shared by the kernel among its forks; a step must not learn of its siblings by it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from rstar_jax.execution import ExecutorConfig, ExecutorPool
from rstar_jax.search.protocols import Execution

# History, a step that sends, and a step that would receive.
CHANNELS = {
    "an anonymous map": ("import mmap\nm = mmap.mmap(-1, 4096)\n", "m[0:1] = b'x'\n", "print(m[0:1])\n"),
    "a pipe": (
        "import os\nr, w = os.pipe()\nos.set_blocking(r, False)\n",
        "os.write(w, b'x')\n",
        "try: print(os.read(r, 1))\nexcept BlockingIOError: print('empty')\n",
    ),
    "a socket pair": (
        "import socket\na, b = socket.socketpair()\nb.setblocking(False)\n",
        "a.send(b'x')\n",
        "try: print(b.recv(1))\nexcept BlockingIOError: print('empty')\n",
    ),
    "a file's offset": ("import os\nf = open(os.__file__, 'rb', 0)\n", "f.read(100)\n", "print(f.tell())\n"),
    "a file's buffered lines": (
        "import os\nf = open(os.__file__)\nf.readline()\n",
        "f.read()\n",
        "print(len(f.read()))\n",
    ),
    "an event counter": (
        "import os\ne = os.eventfd(0, os.EFD_NONBLOCK)\n",
        "os.eventfd_write(e, 1)\n",
        "try: print(os.eventfd_read(e))\nexcept BlockingIOError: print('empty')\n",
    ),
    "an epoll": (
        "import os, select\np = select.epoll()\nr, w = os.pipe()\n",
        "p.register(w)\n",
        "print(p.poll(0))\n",
    ),
    "flags of the standard streams": (
        "import os\n",
        "for fd in (0, 1, 2): os.set_blocking(fd, False)\n",
        "print([os.get_blocking(fd) for fd in (0, 1, 2)])\n",
    ),
    "flags of the control socket": (
        "import os\n",
        "for fd in range(3, 8):\n    try: os.set_blocking(fd, False)\n    except OSError: pass\n",
        "print([os.get_blocking(fd) for fd in (3,)])\n",
    ),
    "a lock on a library": (
        "import fcntl, os\n",
        "f = open(os.__file__)\nfcntl.flock(f, fcntl.LOCK_EX | fcntl.LOCK_NB)\n",
        "try: fcntl.flock(open(os.__file__), fcntl.LOCK_EX | fcntl.LOCK_NB); print('free')\n"
        "except BlockingIOError: print('taken')\nexcept OSError: print('refused')\n",
    ),
    "a temporary file": (
        "import tempfile\nt = tempfile.TemporaryFile()\n",
        "t.write(b'x'); t.flush()\n",
        "t.seek(0); print(t.read())\n",
    ),
    "a semaphore": (
        "import multiprocessing\ns = multiprocessing.Semaphore(1)\n",
        "s.acquire()\n",
        "print(s.acquire(block=False))\n",
    ),
    "the owner of a descriptor's signals": (
        "import fcntl, os\n",
        "fcntl.fcntl(0, fcntl.F_SETOWN, os.getpid())\n",
        "print(fcntl.fcntl(0, fcntl.F_GETOWN))\n",
    ),
    "an output's buffer": ("print('first')\n", "print('second')\n", "print('third')\n"),
    "modules and builtins": (
        "import math, builtins\n",
        "math.x = builtins.x = 1\n",
        "print(hasattr(math, 'x'), hasattr(builtins, 'x'))\n",
    ),
    "the current folder and the mask": (
        "import os\n",
        "os.chdir('/usr'); os.umask(0o123)\n",
        "print(os.getcwd(), oct(os.umask(0)))\n",
    ),
    "limits and timers": (
        "import resource, signal\n",
        "resource.setrlimit(resource.RLIMIT_NOFILE, (9, 9)); signal.setitimer(signal.ITIMER_REAL, 100)\n",
        "print(resource.getrlimit(resource.RLIMIT_NOFILE)[0] > 9, signal.getitimer(signal.ITIMER_REAL))\n",
    ),
}


@pytest.fixture(scope="module")
def results(options_of: Callable[..., dict]) -> dict[str, tuple[list[Execution], list[Execution]]]:
    """What the receiver prints, alone and three times after the sender."""

    async def run() -> dict[str, tuple[list[Execution], list[Execution]]]:
        config = ExecutorConfig(cells=1, cpu_seconds=2, wall_seconds=4, **options_of())
        found = {}
        for name, (history, sender, receiver) in CHANNELS.items():
            async with ExecutorPool(config) as pool:
                alone = await pool.expand((history,), [receiver])
            async with ExecutorPool(config) as pool:
                _, beside = await pool.expand((history,), [sender, receiver])
                await pool.expand((history, sender), ["1\n"])  # the sender may live on as a cached state
                found[name] = alone, [beside, *await pool.expand((history,), [receiver, receiver])]
        return found

    return asyncio.run(run())


@pytest.mark.parametrize("name", CHANNELS)
def test_a_sibling_is_not_heard(name: str, results: dict[str, tuple[list[Execution], list[Execution]]]) -> None:
    alone, after = results[name]
    assert after == alone * 3
