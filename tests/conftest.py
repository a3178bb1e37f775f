"""What tests of several folders use, as fixtures, since tests are imported without their folder on the path."""

from __future__ import annotations

import importlib.util
import os
import pathlib
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from types import ModuleType

import psutil
import pytest

FAKES = pathlib.Path(__file__).with_name("search") / "fake_search.py"


def compile_for_tests() -> str | None:
    """How JAX compiles in all processes of this session: those of xdist and of tests inherit the variables.

    Nearly all programs of the tests run for a shorter time than they are compiled, so LLVM optimises little. What is
    compiled once is kept in the folder returned until the session ends, so that nothing is hidden from the next one.
    """
    if "PYTEST_XDIST_WORKER" in os.environ:
        return None
    folder = tempfile.mkdtemp(prefix="compiled-")
    os.environ |= {
        "JAX_DISABLE_MOST_OPTIMIZATIONS": "1",
        "JAX_COMPILATION_CACHE_DIR": folder,
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0.05",
    }
    return folder


COMPILED = compile_for_tests()  # now, as JAX reads them when it is imported, which the other conftests do


def pytest_unconfigure() -> None:
    if COMPILED is not None:
        shutil.rmtree(COMPILED, ignore_errors=True)


@pytest.fixture(scope="session")
def fakes() -> ModuleType:
    spec = importlib.util.spec_from_file_location("fake_search", FAKES)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def ray_address() -> Iterator[str]:
    """Of a Ray cluster of a head and two workers, as on three machines; each worker has a place for one actor."""
    pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    started = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    for _ in range(2):
        started.add_node(num_cpus=1, resources={"place": 1})
    yield started.address
    started.shutdown()


@pytest.fixture(scope="session")
def actors() -> Callable[[], list[int]]:
    """Processes of a search's actors that are there now, oldest first."""

    def living() -> list[int]:
        found = []
        for process in psutil.process_iter(["cmdline", "create_time", "status"]):
            line = process.info["cmdline"]
            if line and line[0].startswith("ray::_Host") and process.info["status"] != psutil.STATUS_ZOMBIE:
                found.append((process.info["create_time"], process.pid))
        return [pid for _, pid in sorted(found)]

    return living
