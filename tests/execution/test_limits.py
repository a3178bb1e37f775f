"""Programs that misbehave: each costs itself only, in bounded time, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence

import psutil
import pytest

from rstar_jax.execution import ExecutorConfig, ExecutorPool
from rstar_jax.search.protocols import Execution
from tests.execution.family import all_processes, nodes_of, supervisor_of

Expand = Callable[[tuple[str, ...], Sequence[str]], list[Execution]]

ENDLESS = {
    "bare except": "while True:\n    try:\n        while True: pass\n    except BaseException:\n        pass",
    "one long C call": "x = 9 ** 9 ** 9",
    "signals ignored": "import signal\nsignal.signal(signal.SIGXCPU, signal.SIG_IGN)\nwhile True: pass",
    "endless print": "while True: print('x' * 1000)",
    "sleep": "import time\ntime.sleep(1000)",
    "a hanging __str__": "class C:\n    def __str__(self):\n        while True: pass\nC()",
}
DEADLY = {
    "os._exit": "import os\nos._exit(0)",
    "abort": "import os\nos.abort()",
    "segmentation fault": "import ctypes\nctypes.string_at(0)",
    "every descriptor closed": "import os\nos.closerange(0, 64)",
    "garbage in the control socket": "import os\nos.write(3, b'\\0\\0\\0\\4junk')",
    "an answer of the wrong type": "import os\nos.write(3, b'\\0\\0\\0\\x08{\"ok\":1}')",
}
FAILING = {
    "sys.exit(1)": ("import sys\nsys.exit(1)", "SystemExit: 1"),
    "silent exit()": ("exit()", "SystemExit: "),
    "input": ("input('give: ')", "EOFError: EOF when reading a line"),
    "memory": ("x = [0] * 10 ** 9", "MemoryError: "),
    "many small objects": ("x = []\nwhile True: x.append([0] * 1000)", "MemoryError: "),
    "recursion": ("def f(): return f()\nf()", "RecursionError: maximum recursion depth exceeded"),
    "a long integer": ("print(10 ** 5000)", "ValueError: Exceeds the limit (4300 digits)"),
    "interrupt": ("raise KeyboardInterrupt", "KeyboardInterrupt: "),
    "null byte": ("x = '\0'", "SyntaxError"),
    "deep nesting": ("(" * 5000 + ")" * 5000, "SyntaxError"),
    "an error without words": (
        "class E(Exception):\n    def __str__(self): raise RuntimeError\nraise E",
        "E: <RuntimeError while writing the message>",
    ),
    "lone surrogate": ("print('\\ud800')", "UnicodeEncodeError: "),
    "writing a file": ("open('/tmp/rstar_jax_was_here', 'w')", "PermissionError: [Errno 1]"),
    "a file in memory": ("import os\nos.memfd_create('')", "PermissionError: [Errno 1]"),
    "a signal": ("import os, signal\nos.kill(os.getppid(), signal.SIGKILL)", "PermissionError: [Errno 1]"),
    "a socket": ("import socket\nsocket.socket()", "PermissionError: [Errno 1]"),
    "a pipe": ("import os\nos.pipe()", "PermissionError: [Errno 1]"),
    "shared memory": ("import mmap\nmmap.mmap(-1, 4096)", "PermissionError: [Errno 1]"),
    "a thread": ("import threading\nthreading.Thread(target=id).start()", "RuntimeError: can't start new"),
    "fork": ("import os\nos.fork()", "PermissionError: [Errno 1]"),
    "a shell": ("import subprocess\nsubprocess.run(['true'])", "PermissionError: [Errno 1]"),
}
as_root = os.getuid() == 0


@pytest.mark.parametrize("name", ENDLESS)
def test_endless_programs_time_out(expand: Expand, name: str) -> None:
    started = time.monotonic()
    outcomes = [result.outcome for result in expand(("x = 1\n",), ["print(x)", ENDLESS[name], "print(x)"])]
    assert outcomes == ["ok", "timeout", "ok"]
    assert time.monotonic() - started < 8


@pytest.mark.parametrize("name", DEADLY)
def test_dying_programs_are_errors_of_their_own(expand: Expand, name: str) -> None:
    for history in ((), ("x = 1\n",)):
        before, result, after = expand(history, ["print(1)", DEADLY[name], "print(1)"])
        assert before == after == Execution("ok", "1")
        assert result == Execution("error", "ProcessError: the interpreter died")


@pytest.mark.parametrize("name", FAILING)
def test_failing_programs_tell_why(expand: Expand, name: str) -> None:
    program, message = FAILING[name]
    (result,) = expand((), [program])
    assert result.outcome == "error"
    assert result.output.startswith(message)


def test_a_history_that_dies_costs_its_time_once(expand: Expand) -> None:
    started = time.monotonic()
    results = expand(("while True: pass\n",), [f"print({k})" for k in range(8)])
    assert {result.outcome for result in results} == {"timeout"}
    assert time.monotonic() - started < 3
    results = expand(("import os\nos._exit(1)\n",), ["print(1)", "x = 2"])
    assert {result.output for result in results} == {"ProcessError: the interpreter died"}


def test_exit_with_output_ends_the_program_well(expand: Expand) -> None:
    assert expand(("print(1)\nexit()\n",), ["print(2)"]) == [Execution("ok", "1")]


def test_a_huge_output_keeps_its_ends(expand: Expand) -> None:
    results = expand((), ["print('a' * 10**6 + 'z' * 600)", "for i in range(10**5): print(i)"])
    assert results[0].output == "a" * 512 + "..." + "z" * 511
    assert results[1].output.startswith("0\n1\n2\n")
    assert results[1].output.endswith("99998\n99999")
    assert len(results[1].output) <= 1027


def test_too_long_a_program_is_refused(expand: Expand) -> None:
    results = expand((), ["x = 1" + " " * 70_000, "print(1)"])
    assert [result.outcome for result in results] == ["refused", "ok"]


def test_a_fork_bomb_finds_no_room(expand: Expand) -> None:
    bomb = "import os\nwhile True:\n    try: os.fork()\n    except BaseException: pass"
    started = time.monotonic()
    assert [result.outcome for result in expand((), [bomb, "print(1)"])] == ["timeout", "ok"]
    assert time.monotonic() - started < 6


def test_without_a_filter_strays_are_still_ended(runner: asyncio.Runner) -> None:
    """Where the kernel cannot filter system calls, what a program starts must not outlive the expansion."""
    marker = "rstar_jax_daemon"[:15]
    history = (
        "import os, time, ctypes\n"
        "for k in range(5):\n"
        "    if os.fork() == 0:\n"
        f"        ctypes.CDLL(None).prctl(15, b'{marker}', 0, 0, 0)\n"
        "        os.setsid()\n"
        "        if os.fork() == 0: time.sleep(1000)\n"
        "        os._exit(0)\n",
    )

    async def scenario() -> list[list[Execution]]:
        async with ExecutorPool(ExecutorConfig(cells=1, left_out=("seccomp",))) as pool:
            return [await pool.expand(history, ["print(1)"]), await pool.expand((), ["print(1)"])]

    assert runner.run(scenario()) == [[Execution("ok", "1")]] * 2
    assert marker not in _names()


def _names() -> set[str]:
    return {one["name"] for one in all_processes().values() if one["status"] != psutil.STATUS_ZOMBIE}


@pytest.mark.skipif(not as_root, reason="cells change their user only when started as root")
def test_cells_started_as_root_are_not_root(expand: Expand) -> None:
    (result,) = expand((), ["import os\nprint(os.getuid() > 10**9, os.geteuid() > 10**9, os.getgroups())"])
    assert result == Execution("ok", "True True []")


PARENT = """
import asyncio, sys
from rstar_jax.execution import ExecutorConfig, ExecutorPool

async def main():
    pool = ExecutorPool(ExecutorConfig(cells=2, cpu_seconds=60, wall_seconds=100))
    await asyncio.gather(*[pool.expand((), ["1"]) for _ in range(2)])
    print(*pool.cell_pids, flush=True)
    await asyncio.gather(
        pool.expand(("x = 1",), ["import time; time.sleep(90)"]), pool.expand((), ["while True: pass"])
    )

asyncio.run(main())
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_no_process_outlives_the_parent(number: signal.Signals) -> None:
    command = [sys.executable, "-c", PARENT]
    parent = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert parent.stdout is not None
    cells = set(map(int, parent.stdout.readline().split()))
    time.sleep(0.5)
    family = {pid for cell in cells for pid in (cell, supervisor_of(cell), *nodes_of(cell))}
    ours = family - cells | {supervisor_of(cell) for cell in cells}  # without bubblewrap's own processes
    assert len(ours) == 9  # two cells, their first processes, a node kept each, a stem, two at work
    os.kill(parent.pid, number)
    parent.wait()
    deadline = time.monotonic() + 5
    while family & _alive() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not family & _alive()


def _alive() -> set[int]:
    return {pid for pid, one in all_processes().items() if one["status"] != psutil.STATUS_ZOMBIE}
