"""A search on a real Ray cluster: a head and two workers, all processes of this machine, on loopback."""

from __future__ import annotations

import asyncio
import dataclasses
import functools
import os
import pathlib
import signal
import threading
import time
from collections.abc import Callable, Iterator
from types import ModuleType

import pytest

from rstar_jax.errors import InputError
from rstar_jax.search import cluster, shards
from rstar_jax.search.budget import Budget
from rstar_jax.search.cluster import ClusterConfig, Trouble

ray = pytest.importorskip("ray")


@pytest.fixture(scope="module")
def machines(ray_address: str) -> Iterator[None]:
    """The cluster, joined; its actors find the fakes."""
    paths = os.pathsep.join(filter(None, (str(pathlib.Path(__file__).parent), os.environ.get("PYTHONPATH"))))
    ray.init(address=ray_address, runtime_env={"env_vars": {"PYTHONPATH": paths}}, log_to_driver=False)
    yield
    ray.shutdown()


CONFIG = ClusterConfig(
    hosts=2, resources={"CPU": 0.5, "place": 1}, stall_seconds=30.0, rest_seconds=0.2, concurrency=8
)


def _raise() -> None:
    raise ValueError("cannot be read here")


class Unsendable:
    """Pickle sends it, and cannot read it."""

    def __reduce__(self) -> tuple:
        return _raise, ()


def begun(fakes: ModuleType, folder: pathlib.Path, count: int, size: int) -> shards.Survey:
    return shards.survey(shards.begin(folder, fakes.problems(count), fakes.MANY.hash(), size))


def contents(folder: pathlib.Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in shards.shard_files(folder)}


def test_the_trees_of_one_machine(fakes: ModuleType, machines, tmp_path: pathlib.Path) -> None:
    asyncio.run(fakes.run_many(str(tmp_path / "one")))
    cluster.search(begun(fakes, tmp_path / "many", 12, 4), functools.partial(fakes.open_grow, 0.01), CONFIG)
    assert contents(tmp_path / "many") == contents(tmp_path / "one")
    assert shards.is_over(tmp_path / "many")
    before = [os.stat(file).st_mtime_ns for file in shards.shard_files(tmp_path / "many")]
    cluster.search(begun(fakes, tmp_path / "many", 12, 4), functools.partial(fakes.open_grow, 0.01), CONFIG)
    assert [os.stat(file).st_mtime_ns for file in shards.shard_files(tmp_path / "many")] == before


def until(condition, seconds: float = 90.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_two_kills_and_a_hang_of_200_problems(
    fakes: ModuleType, machines, actors: Callable[[], list[int]], tmp_path: pathlib.Path
) -> None:
    """A worker is killed twice, and an actor hung, at different shards: every tree is there once, as on one machine."""
    folder, troubles = tmp_path / "many", []
    found = begun(fakes, folder, 200, 8)

    def mischief() -> None:
        until(lambda: len(shards.shard_files(folder)) >= 2)
        first, second = actors()
        os.kill(first, signal.SIGKILL)
        until(lambda: len(actors()) == 2 and first not in actors() and len(shards.shard_files(folder)) >= 7)
        again = next(pid for pid in actors() if pid != second)
        os.kill(again, signal.SIGKILL)
        until(lambda: len(actors()) == 2 and again not in actors() and len(shards.shard_files(folder)) >= 12)
        os.kill(second, signal.SIGSTOP)

    thread = threading.Thread(target=mischief)
    thread.start()
    config = dataclasses.replace(CONFIG, stall_seconds=12.0)  # two cores run all of this, and other tests
    cluster.search(found, functools.partial(fakes.open_grow, 0.04), config, trouble=troubles.append)
    thread.join()
    asyncio.run(fakes.run_many(str(tmp_path / "one"), count=200, shard_problems=8, concurrency=64))
    assert contents(folder) == contents(tmp_path / "one")
    assert len(shards.shard_files(folder)) == 25
    assert sum("its host was lost" in str(one) for one in troubles) >= 2
    assert any("no problem finished within 12 s" in str(one) for one in troubles)


def test_a_budget_ends_the_search(fakes: ModuleType, machines, tmp_path: pathlib.Path) -> None:
    """What is under way is finished, the rest left out; with a larger one the search goes on."""
    found = begun(fakes, tmp_path, 40, 4)
    cluster.search(found, fakes.open_grow, CONFIG, budget=Budget(tokens=1))
    assert shards.is_over(tmp_path, Budget(tokens=1))
    assert not shards.is_over(tmp_path, Budget(tokens=10**9))  # raised: there is more to do
    left = shards.write_left_out(tmp_path, found.missing)
    assert 0 < left < 40
    assert shards.summary_of(tmp_path).problems == 40 - left
    cluster.search(begun(fakes, tmp_path, 40, 4), fakes.open_grow, CONFIG)
    assert shards.write_left_out(tmp_path, found.missing) == 0
    asyncio.run(fakes.run_many(str(tmp_path / "one"), count=40))
    assert contents(tmp_path) == contents(tmp_path / "one")


def test_what_always_fails_is_given_up(fakes: ModuleType, machines, tmp_path: pathlib.Path) -> None:
    """A bad problem costs its shard alone; where nothing can be done the search ends soon."""
    troubles: list[Trouble] = []
    config = dataclasses.replace(CONFIG, attempts=2)
    bad = functools.partial(fakes.open_grow, 0.0, "problem/9")
    with pytest.raises(RuntimeError, match=r"1 shards were given up; the first: shard 2, attempt 2 of 2: .*is unlucky"):
        cluster.search(begun(fakes, tmp_path / "a", 20, 4), bad, config, trouble=troubles.append)
    names = [file.name for file in shards.shard_files(tmp_path / "a")]
    assert names == [f"shard-0000{number}.parquet" for number in (0, 1, 3, 4)]
    assert len(troubles) == 2
    nothing = functools.partial(fakes.open_grow, 0.0, "problem")
    with pytest.raises(RuntimeError, match="no problem gets finished"):
        cluster.search(begun(fakes, tmp_path / "b", 80, 4), nothing, config, trouble=troubles.append)


def test_a_bad_host_leaves_the_work_to_the_others(fakes: ModuleType, machines, tmp_path: pathlib.Path) -> None:
    """What makes trees fails on one of two hosts, at first always, then never again."""
    troubles: list[Trouble] = []
    one_bad = functools.partial(fakes.open_on_one_host, str(tmp_path / "taken"), failures=4)
    (tmp_path / "taken").mkdir()
    cluster.search(begun(fakes, tmp_path / "many", 40, 4), one_bad, CONFIG, trouble=troubles.append)
    asyncio.run(fakes.run_many(str(tmp_path / "one"), count=40))
    assert contents(tmp_path / "many") == contents(tmp_path / "one")
    assert troubles
    assert all("a host cannot begin: RuntimeError: the chips are in use" in str(one) for one in troubles)


@pytest.mark.slow
def test_where_no_host_can_begin_the_search_ends(fakes: ModuleType, machines, tmp_path: pathlib.Path) -> None:
    config = dataclasses.replace(CONFIG, attempts=2)
    broken = functools.partial(fakes.open_on_one_host, str(tmp_path / "nowhere"), failures=4)
    with pytest.raises(RuntimeError, match="no problem gets finished; the last trouble was a host cannot begin"):
        cluster.search(begun(fakes, tmp_path, 40, 4), broken, config)
    unsendable = functools.partial(fakes.open_grow, Unsendable())
    with pytest.raises(RuntimeError, match="no problem gets finished; the last trouble was a host cannot begin"):
        cluster.search(begun(fakes, tmp_path, 40, 4), unsendable, config)


def test_impossible_clusters() -> None:
    for wrong in ({"hosts": 0}, {"attempts": 0}, {"stall_seconds": 0.0}):
        with pytest.raises(InputError, match="at least one host"):
            dataclasses.replace(CONFIG, **wrong)
