"""The cache of paused processes: what it keeps, what it lets go, and that results do not depend on it."""

from __future__ import annotations

import asyncio
import os

import psutil
import pytest

from rstar_jax.execution import ExecutorConfig, ExecutorPool
from rstar_jax.execution.cell import memory
from rstar_jax.execution.cell.snapshots import Key, Snapshots
from rstar_jax.search.protocols import Execution
from tests.execution.family import all_processes, nodes_of


def key(*steps: str) -> Key:
    return "standard", steps


def test_the_least_recently_used_goes_first() -> None:
    cache: Snapshots[str] = Snapshots(count=2, size=1000)
    for name in "abc":
        cache.put(key(name), name, 1)
        cache.get(key("a"))
    assert cache.evict() == ["b"]
    assert cache.get(key("a")) == "a"
    assert cache.get(key("b")) is None


def test_memory_counts_and_pinned_ones_stay() -> None:
    cache: Snapshots[str] = Snapshots(count=10, size=100)
    for name in "abc":
        cache.put(key(name), name, 40)
    assert cache.evict(pinned=[key("a")]) == ["b"]
    assert cache.bytes == 80
    assert cache.put(key("c"), "new", 10) == "c"
    assert cache.bytes == 50
    cache.put(key("d"), "d", 200)
    assert cache.evict(pinned=[key("d")]) == ["a", "new"]
    assert cache.evict(pinned=[key("d")]) == []
    assert cache.evict(count=0) == ["d"]
    assert (len(cache), cache.bytes) == (0, 0)


def test_ancestors_are_found_deepest_first_within_a_tier() -> None:
    cache: Snapshots[int] = Snapshots(count=10, size=10)
    for steps in [("a",), ("a", "b", "c"), ("a", "x")]:
        cache.put(key(*steps), 0, 1)
    cache.put(("symbolic", ("a", "b")), 0, 1)
    assert list(cache.ancestors(key("a", "b", "c", "d"))) == [key("a", "b", "c"), key("a")]
    assert list(cache.ancestors(key("b"))) == []


def test_proportional_memory_is_read_from_the_kernel() -> None:
    mine = memory.proportional_bytes(os.getpid())
    assert mine is not None
    assert 1 << 20 < mine <= (memory.resident_bytes(os.getpid()) or 0)
    assert memory.proportional_bytes(2**22) is None  # beyond the largest pid


WALK = [
    ((), ["x = 1\n", "x = 2\n", "for k in range(3):\n    y = k\n"]),
    (("x = 1\n",), ["import random\nprint(random.random())\n", "y = x / 0\n", "print('a')\n"]),
    (("x = 1\n", "print('a')\n"), ["print(x)\n", "x += 1\n", "import time\ntime.sleep(100)\n"]),
    (("for k in range(3):\n    y = k\n",), ["    print(y)\n", "print(y)\n"]),
    (("x = 1\n", "y = x / 0\n"), ["print(1)\n"]),
    (("x = 1\n", "print('a')\n", "x += 1\n"), ["print(x)\n", "print('x', x)\n"]),
    (("x = 1\n", "print('a')\n", "import time\ntime.sleep(100)\n"), ["print(1)\n"]),
    (("x = 2\n",), ["print(x)\n"]),
    (("x = 1\n", "import random\nprint(random.random())\n"), ["print(random.random())\n"]),
]


@pytest.mark.parametrize("semantics", ["plain", "notebook", "released"])
def test_results_do_not_depend_on_what_is_kept(runner: asyncio.Runner, semantics: str) -> None:
    async def walk(snapshots: int, times: int = 1) -> list[list[Execution]]:
        config = ExecutorConfig(
            cells=1,
            semantics=semantics,  # type: ignore[arg-type]
            snapshots=snapshots,
            cpu_seconds=1,
            wall_seconds=0.5,
        )
        async with ExecutorPool(config) as pool:
            for _ in range(times):
                results = [await pool.expand(history, snippets) for history, snippets in WALK]
            return results

    nothing = runner.run(walk(0))
    assert nothing == runner.run(walk(3)) == runner.run(walk(128, times=2))
    assert [execution.outcome for execution in nothing[2]] == ["ok", "ok", "timeout"]


def test_a_child_step_runs_only_the_new_snippet(runner: asyncio.Runner) -> None:
    async def scenario() -> ExecutorPool:
        async with ExecutorPool(ExecutorConfig(cells=1)) as pool:
            history: tuple[str, ...] = ()
            for number in range(6):
                step = f"x{number} = {number}\n"
                await pool.expand(history, [step, f"print({number})\n"])
                history = (*history, step)
            return pool

    metrics = runner.run(scenario()).metrics
    assert (metrics.steps, metrics.hits, metrics.misses, metrics.replayed_steps) == (12, 5, 0, 0)
    assert metrics.snapshots == 12
    assert metrics.snapshot_bytes > 12 * 200_000


def test_an_evicted_state_is_replayed_from_the_nearest_that_lives(runner: asyncio.Runner) -> None:
    async def scenario() -> ExecutorPool:
        async with ExecutorPool(ExecutorConfig(cells=1, snapshots=3)) as pool:
            await pool.expand((), ["a = 1\n"])
            await pool.expand(("a = 1\n",), ["b = 2\n"])
            await pool.expand(("a = 1\n", "b = 2\n"), ["c = 3\n"])
            await pool.expand(("a = 1\n",), ["d = 4\n", "d = 5\n"])  # b and c go
            assert await pool.expand(("a = 1\n", "b = 2\n"), ["print(a, b)\n"]) == [Execution("ok", "1 2")]
            return pool

    metrics = runner.run(scenario()).metrics
    assert (metrics.misses, metrics.replayed_steps) == (1, 1)
    assert metrics.evictions >= 2


def test_memory_bounds_what_is_kept(runner: asyncio.Runner) -> None:
    async def scenario() -> ExecutorPool:
        async with ExecutorPool(ExecutorConfig(cells=1, snapshot_mb=80)) as pool:
            for number in range(30):  # 3 MB each, and what they share
                await pool.expand((), [f"x = list(range({number}, 60_000))\n"])
            assert pool.metrics.snapshot_bytes <= 80 << 20
            assert 5 <= pool.metrics.snapshots <= 20
            big = "x = bytearray(50_000_000)\nfor k in range(0, len(x), 4096): x[k] = 1\n"
            before = pool.metrics.snapshots
            assert await pool.expand((big,), ["print(len(x))", "print(x[0])"]) == [
                Execution("ok", "50000000"),
                Execution("ok", "1"),
            ]
            assert pool.metrics.snapshots <= before + 2  # too large to be kept; it does not push out the others
            return pool

    runner.run(scenario())


def test_an_open_file_is_not_shared_by_siblings(runner: asyncio.Runner) -> None:
    async def scenario() -> None:
        async with ExecutorPool(ExecutorConfig(cells=1)) as pool:
            first, second = "import os\nfile = open(os.__file__)\n", "line = file.readline()\n"
            whole = await pool.expand((), [first + second + "print(file.readline())\n"])
            for _ in range(2):
                results = await pool.expand((first, second), ["print(file.readline())\n"] * 2)
                assert results == whole * 2

    runner.run(scenario())


def test_what_waits_stands_still(runner: asyncio.Runner) -> None:
    """A step may prepare its process to go on after it has answered; then it must not."""

    async def scenario() -> None:
        async with ExecutorPool(ExecutorConfig(cells=1)) as pool:
            program = (
                "import sys\n"
                "frame = sys._getframe()\n"
                "while frame.f_code.co_name != 'serve': frame = frame.f_back\n"
                "wire = frame.f_globals['wire']\n"
                "def busy(*arguments):\n"
                "    while True: pass\n"
                "wire.receive_command = busy\n"
            )
            assert (await pool.expand((), [program]))[0].outcome == "ok"
            assert await pool.expand((program,), ["print(1)"]) == [Execution("ok", "1")]  # replayed
            nodes = set(nodes_of(pool.cell_pids[0]))
            processes = all_processes()  # a node that is gone by now has stopped for good
            assert {psutil.STATUS_RUNNING}.isdisjoint(processes[pid]["status"] for pid in nodes if pid in processes)

    runner.run(scenario())
