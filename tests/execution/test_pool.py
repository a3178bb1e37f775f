"""The pool's promises: a pure function of its arguments, nothing shared, nothing lost."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import time
from collections.abc import Callable, Sequence

import pytest

from rstar_jax.execution import ExecutorConfig, ExecutorPool
from rstar_jax.search.protocols import Execution
from tests.execution.family import all_processes, nodes_of, supervisor_of

Expand = Callable[[tuple[str, ...], Sequence[str]], list[Execution]]
OK_1 = Execution("ok", "1")
CELL_KILLER = "import os, signal\nos.kill(os.getppid(), signal.SIGKILL)\nwhile True: pass"
SLEEPER = "import time\ntime.sleep(2)"


def ok(text: str) -> Execution:
    return Execution("ok", text)


def test_snippets_see_their_history_and_not_each_other(expand: Expand) -> None:
    history = ("import math\nx = 16\n", "y = math.sqrt(x)\n")
    snippets = ["y += 1\nprint(y)", "print(y)", "x = 99", "print(x)", "del y", "print(y)"]
    outputs = [result.output for result in expand(history, snippets)]
    assert outputs == ["5.0", "4.0", "", "16", "", "4.0"]


def test_nothing_leaks_from_one_problem_to_the_next(expand: Expand) -> None:
    expand((), ["leaked = 1\nimport math, builtins\nmath.pi = 3\nbuiltins.len = None\nmath.leaked = 1"])
    program = "import math\nprint('leaked' in globals(), math.pi > 3.1, len([1]), hasattr(math, 'leaked'))"
    assert expand((), [program]) == [ok("False True 1 False")]


def test_empty_requests(expand: Expand) -> None:
    assert expand(("x = 1",), []) == []
    assert expand((), ["", "# nothing but a comment"]) == [ok(""), ok("")]


def test_a_cell_starts_without_jax_and_with_a_clean_environment(expand: Expand) -> None:
    program = "import os, sys\nprint(*sorted(os.environ), {'jax', 'rstar_jax'} & sys.modules.keys(), os.getcwd())"
    (result,) = expand((), [program])
    names = "LANG MKL_NUM_THREADS OMP_NUM_THREADS OPENBLAS_NUM_THREADS PYTHONHASHSEED"
    assert result.output == f"{names} set() /"


@pytest.mark.parametrize(
    ("history", "snippet"),
    [
        (("for i in range(3):\n    j = i * i\n",), "    print(j)\n"),
        (("for i in range(3):\n",), "    print(i * i)\n"),
        (("n = 2\nif n > 5:\n    print('big')\n",), "else:\n    for i in (0, 1, 4): print(i)\n"),
        (("def f(k):", "    return k * k", ""), "for i in range(3): print(f(i))"),
        (("print(0)\nprint(1",), ")\nprint(4)"),
    ],
)
def test_a_statement_may_continue_over_steps(expand: Expand, history: tuple[str, ...], snippet: str) -> None:
    whole = expand((), ["\n".join(p.rstrip("\n") for p in (*history, snippet))])
    assert expand(history, [snippet]) == whole
    assert whole[0].outcome == "ok"


def test_a_step_that_ends_inside_a_block_is_an_error_until_it_is_completed(expand: Expand) -> None:
    (alone,) = expand((), ["for i in range(3):\n"])
    assert alone.outcome == "error"
    assert alone.output.startswith("IndentationError")


def test_a_loop_that_is_completed_by_the_next_step_runs_whole(expand: Expand) -> None:
    """Its first half never ends; that must not be held against the whole."""
    history = ("n = 0\nwhile n < 3:\n    m = n\n",)
    results = expand(history, ["    n += 1\n    print(m)\n", "print(m)\n"])
    assert results[0] == ok("0\n1\n2")
    assert results[1].outcome == "timeout"


def test_an_error_in_the_history_stays_the_error(expand: Expand) -> None:
    history = ("x = 1\nprint('before')\n", "y = x / 0\n")
    for result in expand(history, ["print(x)", "z = 3", "this is no Python"])[:2]:
        assert result == Execution("error", "ZeroDivisionError: division by zero")


def test_random_state_goes_on_over_steps(expand: Expand) -> None:
    generator = random.Random(42)
    first, second = generator.random(), generator.random()
    history = ("import random\nrandom.seed(42)\n", "a = random.random()\n")
    assert expand(history, ["print(a, random.random())"] * 2) == [ok(f"{first} {second}")] * 2
    numpy_history = ("import numpy as np\nnp.random.seed(7)\n", "a = np.random.rand()\n")
    once = expand(numpy_history, ["print(a, np.random.rand())"])
    assert once == expand((), ["".join(numpy_history) + "print(a, np.random.rand())"])


def test_unseeded_random_is_the_same_at_every_root(expand: Expand) -> None:
    for library in ("random", "numpy.random"):
        program = f"import {library}\nprint({library}.random())"
        assert len({expand((), [program])[0].output for _ in range(3)}) == 1


def test_output_shows_the_whole_block(expand: Expand) -> None:
    assert expand(("print('a')\n",), ["print('b')\n", "x = 3\n"]) == [ok("a\nb"), ok("a")]


def test_order_concurrency_and_kills_change_no_result(runner: asyncio.Runner) -> None:
    requests = [
        (("import math\nx = 4\n", "y = math.sqrt(x)\n"), ["print(y)", "print(z)", "y"]),
        ((), ["print({'b', 'a', 'c'})", "import os\nos._exit(0)"]),
        (("import random\n",), ["print(random.random())", "while True: pass"]),
        (("s = 0\nfor k in range(1000):\n", "    s += k\n"), ["print(s)", "    s += 1\nprint(s)"]),
        ((), [CELL_KILLER, "print(1)"]),
    ] * 2
    config = ExecutorConfig(cells=2, cpu_seconds=1)

    async def together(seed: int) -> list[list[Execution]]:
        order = list(range(len(requests)))
        random.Random(seed).shuffle(order)
        async with ExecutorPool(config) as pool:
            tasks = {index: asyncio.create_task(pool.expand(*requests[index])) for index in order}
            return [await tasks[index] for index in range(len(requests))]

    first = runner.run(together(0))
    assert first == runner.run(together(1))
    assert first[:5] == first[5:]
    assert first[4][1] == OK_1


def test_a_program_whose_cell_dies_twice_costs_itself_only(runner: asyncio.Runner) -> None:
    async def kill_twice(pool: ExecutorPool) -> None:
        for _ in range(2):
            before = pool.metrics.cells_lost
            await asyncio.sleep(1)
            os.kill(pool.cell_pids[0], signal.SIGKILL)
            while pool.metrics.cells_lost == before or not pool.cell_pids:
                await asyncio.sleep(0.01)

    async def scenario() -> tuple[list[Execution], ExecutorPool]:
        async with ExecutorPool(ExecutorConfig(cells=1)) as pool:
            await pool.start()
            killer = asyncio.create_task(kill_twice(pool))
            results = await pool.expand(("x = 1\n",), ["print(x)", SLEEPER, "print(x)"])
            await killer
            return results, pool

    results, pool = runner.run(scenario())
    assert [result.outcome for result in results] == ["ok", "refused", "ok"]
    assert pool.metrics.cells_lost == 2
    assert pool.metrics.kills == {"lost": 1}


def test_a_cell_killed_from_outside_is_replaced(runner: asyncio.Runner) -> None:
    async def scenario() -> list[Execution]:
        async with ExecutorPool(ExecutorConfig(cells=1)) as pool:
            await pool.expand((), ["1"])
            (cell,) = pool.cell_pids
            snippets = ["print(1)", "import time\ntime.sleep(0.5)\nprint(1)", "print(1)"]
            task = asyncio.create_task(pool.expand((), snippets))
            await asyncio.sleep(0.2)
            os.kill(cell, signal.SIGKILL)
            return await task

    assert runner.run(scenario()) == [OK_1] * 3


def test_a_cancelled_request_disturbs_nobody(runner: asyncio.Runner) -> None:
    async def scenario() -> list[Execution]:
        async with ExecutorPool(ExecutorConfig(cells=1)) as pool:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(pool.expand((), ["import time\ntime.sleep(60)"]), 0.5)
            return await pool.expand((), ["print(1)"])

    assert runner.run(scenario()) == [OK_1]


def test_thousands_of_waiting_coroutines_are_served_in_turn(runner: asyncio.Runner) -> None:
    async def scenario() -> list[int]:
        finished: list[int] = []
        async with ExecutorPool(ExecutorConfig(cells=2)) as pool:

            async def ask(number: int) -> None:
                assert await pool.expand((), [f"print({number})"]) == [ok(str(number))]
                finished.append(number)

            await asyncio.gather(ask(0), ask(1))  # starts both cells
            await asyncio.gather(*map(ask, range(2, 1000)))
        return finished

    finished = runner.run(scenario())
    assert max(abs(place - number) for place, number in enumerate(finished)) < 100


def test_no_zombie_no_process_and_no_descriptor_is_left_over(runner: asyncio.Runner) -> None:
    async def scenario() -> None:
        async with ExecutorPool(ExecutorConfig(cells=1, snapshots=4)) as pool:
            sizes = []
            for number in range(60):
                await pool.expand((f"x = {number}\n",), ["print(x)", "1 / 0", "import os\nos.abort()"])
                await pool.expand((), ["print(1)"])  # by its answer the one before has been tidied up
                (cell,) = pool.cell_pids
                descriptors = os.listdir(f"/proc/{supervisor_of(cell)}/fd")
                sizes.append((len(nodes_of(cell)), len(descriptors)))
                family = [cell, supervisor_of(cell), *nodes_of(cell)]
            assert sizes[10] == sizes[-1]
            assert sizes[-1][0] <= 5  # four nodes and the process that they descend from
        deadline = time.monotonic() + 5
        while all_processes().keys() & set(family) and time.monotonic() < deadline:
            await asyncio.sleep(0.05)
        assert not all_processes().keys() & set(family)

    runner.run(scenario())


def test_a_closed_pool_says_so(runner: asyncio.Runner) -> None:
    async def scenario() -> None:
        pool = ExecutorPool(ExecutorConfig(cells=1))
        await pool.expand((), ["1"])
        await pool.close()
        with pytest.raises(RuntimeError, match="closed"):
            await pool.expand((), ["1"])

    runner.run(scenario())


def test_metrics_count_what_happened(runner: asyncio.Runner) -> None:
    async def scenario() -> ExecutorPool:
        async with ExecutorPool(ExecutorConfig(cells=1, cpu_seconds=1)) as pool:
            snippets = ["print(x)", "1 / 0", "while True: pass", "import os\nos._exit(1)"]
            await pool.expand(("x = 1\n", "y = 2\n"), snippets)
            await pool.expand(("for i in (1,):\n    x = 2\n",), ["    print(i)"])
            return pool

    metrics = runner.run(scenario()).metrics
    assert (metrics.expansions, metrics.steps, metrics.replayed_steps, metrics.restarts) == (2, 5, 6, 1)
    assert metrics.outcomes == {"ok": 2, "error": 2, "timeout": 1}
    assert metrics.kills == {"cpu": 1, "crash": 1}
    assert 0.8 < metrics.cpu_seconds < 3  # the kernel counts the one-second limit in ticks
    assert metrics.as_dict()["outcomes"] == {"ok": 2, "error": 2, "timeout": 1}


@pytest.mark.parametrize(
    ("name", "value"), [("cells", 0), ("snapshots", -1), ("left_out", ("nothing",)), ("semantics", "other")]
)
def test_a_senseless_configuration_is_refused(name: str, value: object) -> None:
    with pytest.raises(ValueError, match=name):
        ExecutorConfig(**{name: value})  # type: ignore[arg-type]
