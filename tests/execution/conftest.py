"""Pools that live as long as a test module, driven from plain test functions."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from rstar_jax.execution import ExecutorConfig, ExecutorPool
from rstar_jax.search.protocols import Execution

Expand = Callable[[tuple[str, ...], Sequence[str]], list[Execution]]


def sandbox_options(left_out: Sequence[str] = (), snapshots: int | None = None) -> dict[str, Any]:
    """Fields of `ExecutorConfig`: a sandbox without some layers but without a hole, and the size of the cache."""
    options = {"require_sandbox": True, "left_out": tuple(left_out)}
    return options if snapshots is None else {**options, "snapshots": snapshots}


@pytest.fixture(scope="session")
def options_of() -> Callable[..., dict[str, Any]]:
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
def notebook_pool(runner: asyncio.Runner) -> Iterator[ExecutorPool]:
    yield from _pool(runner, ExecutorConfig(semantics="notebook", cells=1, cpu_seconds=2))


@pytest.fixture(scope="module")
def expand(runner: asyncio.Runner, pool: ExecutorPool) -> Expand:
    return lambda history, snippets: runner.run(pool.expand(history, snippets))


@pytest.fixture(scope="module")
def released(runner: asyncio.Runner, released_pool: ExecutorPool) -> Expand:
    return lambda history, snippets: runner.run(released_pool.expand(history, snippets))


@pytest.fixture(scope="module")
def notebook(runner: asyncio.Runner, notebook_pool: ExecutorPool) -> Expand:
    return lambda history, snippets: runner.run(notebook_pool.expand(history, snippets))
