"""Hostile steps for the soak: one or two of each kind that the tests in `tests/execution/attacks` hold many of.

All are harmless to the machine should the sandbox fail: they only touch what they make themselves.
"""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True)
class Hostile:
    """A step that misbehaves. `costly`: it uses up a time limit, so it comes seldom."""

    name: str
    code: str
    costly: bool = False


SYSTEM_CALL = "import ctypes, os, signal, time\nlibc = ctypes.CDLL(None, use_errno=True)\n"
RAW_CLONES = "for k in range(50):\n    if libc.syscall(56, 0x8011, 0, 0, 0, 0) == 0: break\n"
EVERY_DESCRIPTOR = "import os\nfor fd in range(3, 64):\n    try: os.write(fd, {})\n    except OSError: pass\n"

HOSTILE = (
    Hostile("loop", "while True: pass\n", True),
    Hostile("loop that catches", "while True:\n    try:\n        while True: pass\n    except: pass\n", True),
    Hostile("long C call", "x = 9 ** 9 ** 9\n", True),
    Hostile("sleep", "import time\ntime.sleep(1000)\n", True),
    Hostile("endless print", "while True: print('x' * 1000)\n", True),
    Hostile("signals ignored", "import signal\nsignal.signal(24, signal.SIG_IGN)\nwhile True: pass\n", True),
    Hostile("memory in one block", "x = bytearray(10 ** 11)\n"),
    Hostile("memory in small objects", "x = []\nwhile True: x.append([0] * 1000)\n", True),
    Hostile("long output", "print('x' * 10 ** 6)\n"),
    Hostile("os._exit", "import os\nos._exit(0)\n"),
    Hostile("abort", "import os\nos.abort()\n"),
    Hostile("segmentation fault", "import ctypes\nctypes.string_at(0)\n"),
    Hostile("recursion", "import sys\nsys.setrecursionlimit(10 ** 9)\ndef f(): return f()\nf()\n"),
    Hostile("forks", SYSTEM_CALL + "for k in range(50):\n    if os.fork() == 0: time.sleep(100)\n"),
    Hostile("raw clone", SYSTEM_CALL + RAW_CLONES),
    Hostile("threads", "import threading, time\nthreading.Thread(target=time.sleep, args=(100,)).start()\n"),
    Hostile("a program", "import subprocess\nsubprocess.run(['sleep', '100'])\n"),
    Hostile("kill the parent", SYSTEM_CALL + "os.kill(os.getppid(), signal.SIGKILL)\n"),
    Hostile("reading", "print(len(open('/etc/passwd').read()))\n"),
    Hostile("writing", "open('/tmp/soak', 'w')\n"),
    Hostile("network", "import socket\nsocket.create_connection(('127.0.0.1', 9), 1)\n"),
    Hostile("every descriptor closed", "import os\nos.closerange(0, 64)\n"),
    Hostile("garbage on every descriptor", EVERY_DESCRIPTOR.format("os.urandom(999)")),
    Hostile("a forged answer", EVERY_DESCRIPTOR.format("""b'\\0\\0\\0\\x20{"ok": true, "output": "forged"}'""")),
    Hostile("a long header", EVERY_DESCRIPTOR.format("b'\\xff' * 8")),
    Hostile("builtins cleared", "import builtins\nvars(builtins).clear()\n"),
    Hostile("modules lie", "import json, math, os\nmath.sqrt = json.dumps = json.loads = os.write = None\n"),
    Hostile("frames changed", "import sys\nf = sys._getframe(1)\nwhile f: f.f_globals.clear(); f = f.f_back\n"),
    Hostile("trace function", "import sys\ndef trace(*a): raise SystemExit\nsys.settrace(trace)\n"),
    Hostile("evil text", "class C:\n    def __str__(self): import os; os._exit(0)\nC()\n"),
    Hostile("exit handlers", "import atexit, os\natexit.register(os.abort)\n"),
)
