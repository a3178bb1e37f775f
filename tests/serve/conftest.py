"""Servers as processes, and the real client."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import pathlib
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from types import ModuleType

import openai
import pytest

ROOT = pathlib.Path(__file__).parents[2]
FAKE = pathlib.Path(__file__).with_name("fake_server.py")
READY = "serving "


class Process:
    """A server that runs. address: of its API; log: lines that it has written so far."""

    def __init__(self, command: list[str], cwd: pathlib.Path = ROOT) -> None:
        environment = os.environ | {"PYTHONPATH": str(ROOT), "JAX_PLATFORMS": "cpu"}
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment, cwd=cwd)
        self.log: list[str] = []
        self._written = threading.Condition()
        threading.Thread(target=self._read, daemon=True).start()
        self.address = self.wait_for(READY, 300).removeprefix(READY)

    def wait_for(self, beginning: str, seconds: float = 30) -> str:
        """The first line that begins so."""

        def found() -> list[str]:
            return [line for line in self.log if line.startswith(beginning)]

        with self._written:
            assert self._written.wait_for(found, seconds), "\n".join(self.log)
            return found()[0]

    def client(self, **options) -> openai.OpenAI:
        return openai.OpenAI(base_url=self.address, api_key="none", **{"max_retries": 0, **options})

    def asynchronous(self, **options) -> openai.AsyncOpenAI:
        return openai.AsyncOpenAI(base_url=self.address, api_key="none", **{"max_retries": 0, **options})

    def _read(self) -> None:
        for line in self.process.stderr:
            with self._written:
                self.log.append(line.rstrip("\n"))
                self._written.notify_all()
        with self._written:
            self._written.notify_all()

    def close(self) -> None:
        self.process.kill()
        self.process.wait()


@pytest.fixture(scope="session")
def process() -> type[Process]:
    return Process


@pytest.fixture(scope="session")
def fake() -> ModuleType:
    spec = importlib.util.spec_from_file_location("fake_server", FAKE)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def start_fake() -> Iterator[Callable[..., Process]]:
    """Start a server with made-up models, which take up to `delay` seconds for each answer; limits."""
    with contextlib.ExitStack() as stack:

        def start(delay: float = 0.0, **limits: float) -> Process:
            started = Process([sys.executable, str(FAKE), str(delay), json.dumps(limits)])
            stack.callback(started.close)
            return started

        yield start
