"""A tree of steps gives what a fresh interpreter gives for the text of each path, whatever is cached."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterator

import pytest

from rstar_jax.execution import ExecutorConfig, ExecutorPool
from rstar_jax.search.protocols import Execution
from tests.execution.concatenation.features import COMPILE_ERRORS, ERRORS
from tests.execution.concatenation.peer import Peer
from tests.execution.concatenation.programs import Program, join, programs

Visit = tuple[Program, Program]  # history and snippets of one expansion
CACHES = (0, 7, 128)
SAMPLE = 40


@pytest.fixture(scope="module")
def peer() -> Iterator[Peer]:
    peer = Peer()
    yield peer
    peer.close()


def expected(peer: Peer, visits: list[Visit]) -> list[list[Execution]]:
    """What the peer makes of each path."""
    paths = [[join((*history, snippet)) for snippet in snippets] for history, snippets in visits]
    peer.run([path for group in paths for path in group])
    return [[Execution("ok" if ok else "error", output) for ok, output in peer.run(group)] for group in paths]


def walk(some: list[Program], seed: int) -> list[Visit]:
    """Expansions of all prefixes in a random order that comes back to old nodes, with siblings that go elsewhere."""
    r = random.Random(seed)
    visits: list[Visit] = []
    for program in some:
        for length in range(len(program)):
            siblings = [program[length], r.choice(program), r.choice(ERRORS), f"print({length})\n"]
            visits.append((program[:length], tuple(siblings[: r.randint(1, 4)])))
    visits += r.choices(visits, k=len(visits) // 2)
    if seed:
        r.shuffle(visits)
    return visits


def results_of(visits: list[Visit], options: dict, cells: int = 1) -> list[list[Execution]]:
    """The executor's answers, in order."""
    config = ExecutorConfig(cells=cells, cpu_seconds=20, wall_seconds=60, output_chars=20_000, **options)

    async def run() -> list[list[Execution]]:
        async with ExecutorPool(config) as pool:
            if cells == 1:  # one after another, so that the order of the walk is that of the cache
                return [await pool.expand(*visit) for visit in visits]
            return await asyncio.gather(*[pool.expand(*visit) for visit in visits])

    return asyncio.run(run())


def differences(visits: list[Visit], ours: list[list[Execution]], theirs: list[list[Execution]]) -> list[tuple]:
    return [
        (join((*history, snippet)), mine, other)
        for (history, snippets), some, others in zip(visits, ours, theirs, strict=True)
        for snippet, mine, other in zip(snippets, some, others, strict=True)
        if mine != other
    ]


def test_programs_are_reproducible_and_varied() -> None:
    first = programs(1000)
    assert first[:50] == programs(50)
    assert len(set(first)) == 1000
    assert {len(program) for program in first} == set(range(4, 11))


@pytest.mark.parametrize("snapshots", CACHES)
def test_steps_equal_their_concatenation(peer: Peer, snapshots: int, options_of: Callable[..., dict]) -> None:
    visits = walk(programs(SAMPLE), seed=snapshots)
    found = differences(visits, results_of(visits, options_of(snapshots=snapshots)), expected(peer, visits))
    assert not found, found[:3]


@pytest.mark.parametrize("error", COMPILE_ERRORS)
def test_what_does_not_compile_hides_all_that_ran(peer: Peer, error: str, options_of: Callable[..., dict]) -> None:
    starts: list[Program] = [(), ("x = 1\n", "print(x)\n"), ("print(1)\n", "1 / 0\n"), ("x = 1", "while x < 2:\n")]
    visits: list[Visit] = [(start, (error, f"    {error}", "print(2)\n")) for start in starts]
    visits += [((*start, error), ("print(3)\n", error, "x = = 1\n")) for start in starts]
    found = differences(visits, results_of(visits, options_of()), expected(peer, visits))
    assert not found, found[:3]


@pytest.mark.slow
@pytest.mark.parametrize("snapshots", CACHES)
def test_a_thousand_programs_equal_their_concatenation(
    peer: Peer, snapshots: int, options_of: Callable[..., dict]
) -> None:
    some = programs(1000, seed=1)
    visits = [visit for start in range(0, 1000, 20) for visit in walk(some[start : start + 20], seed=start + snapshots)]
    found = differences(visits, results_of(visits, options_of(snapshots=snapshots), cells=2), expected(peer, visits))
    assert not found, (len(found), found[:3])
