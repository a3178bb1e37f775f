"""Pools that live as long as a test module, driven from plain test functions."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable, Iterator, Sequence

import pytest

from rstar_jax.execution import ExecutorConfig, ExecutorPool
from rstar_jax.search.protocols import Execution

Expand = Callable[[tuple[str, ...], Sequence[str]], list[Execution]]


def sandbox_options(bubblewrap: bool = True, states: int | None = None) -> dict[str, bool | int]:
    """Fields of `ExecutorConfig` that choose the layers and the cache, the latter None for its usual size.

    What the executor does not know yet is left out.
    """
    options = {"require_sandbox": True, "bubblewrap": bubblewrap} | ({} if states is None else {"states": states})
    known = {field.name for field in dataclasses.fields(ExecutorConfig)}
    return {name: value for name, value in options.items() if name in known}


@pytest.fixture(scope="session")
def options_of() -> Callable[..., dict[str, bool | int]]:
    return sandbox_options


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


def _pool(runner: asyncio.Runner, config: ExecutorConfig) -> Iterator[ExecutorPool]:
    pool = ExecutorPool(config)
    yield pool
    runner.run(pool.close())


@pytest.fixture(scope="module")
def pool(runner: asyncio.Runner) -> Iterator[ExecutorPool]:
    """Short limits: one CPU second, 2.5 seconds on the clock, 256 MB."""
    yield from _pool(runner, ExecutorConfig(cells=1, cpu_seconds=1, wall_seconds=2.5, memory_mb=256))


@pytest.fixture(scope="module")
def released_pool(runner: asyncio.Runner) -> Iterator[ExecutorPool]:
    yield from _pool(runner, ExecutorConfig(semantics="released", cells=1, cpu_seconds=2))


@pytest.fixture(scope="module")
def expand(runner: asyncio.Runner, pool: ExecutorPool) -> Expand:
    return lambda history, snippets: runner.run(pool.expand(history, snippets))


@pytest.fixture(scope="module")
def released(runner: asyncio.Runner, released_pool: ExecutorPool) -> Expand:
    return lambda history, snippets: runner.run(released_pool.expand(history, snippets))
