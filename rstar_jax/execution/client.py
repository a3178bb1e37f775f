"""One cell process as the pool sees it."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import logging
import os
import socket
import subprocess
import sys
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path
from typing import Any

from .cell import wire
from .cell.node import Settings
from .cell.supervisor import Report
from .config import ExecutorConfig

START_SECONDS = 60.0  # importing the scientific libraries on a cold, busy disk
GRACE_SECONDS = 10.0  # on top of what the limits allow, before a silent cell is given up
# The cell's package is found under its short name, in a folder that programs are not to import from.
BOOTSTRAP = "import sys; sys.path[:0] = sys.argv[1:2]; from cell.main import main; del sys.path[0]; main()"
ENVIRONMENT = {
    "PYTHONHASHSEED": "0",
    "LANG": "C.UTF-8",
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
}
log = logging.getLogger(__name__)


class CellLost(Exception):
    """The cell died, hung or answered nonsense."""


class Cell:
    """A running cell. Not shared: one expansion at a time."""

    def __init__(self, process: subprocess.Popen[bytes], config: ExecutorConfig) -> None:
        self._process = process
        self._config = config
        self._reader: asyncio.StreamReader
        self._writer: asyncio.StreamWriter

    @classmethod
    async def start(cls, config: ExecutorConfig, tier: str) -> Cell:
        """Start a process with a tier's libraries. Raises CellLost when it does not come up.

        It is started from the calling thread, with whose end it dies.
        """
        ours, theirs = socket.socketpair()
        with theirs:
            process = _spawn(theirs.fileno(), _settings(config, tier))
        cell = cls(process, config)
        try:
            cell._reader, cell._writer = await asyncio.open_connection(sock=ours)
            hello = await cell._receive(START_SECONDS)
        except BaseException:
            ours.close()
            cell.kill()
            raise
        if hello.get("root"):
            log.warning("A cell could not leave root: the number of its processes is not limited.")
        return cell

    @property
    def pid(self) -> int:
        return self._process.pid

    async def expand(self, history: tuple[str, ...], snippets: Sequence[str]) -> AsyncGenerator[Report, None]:
        """A report per snippet, in order. Raises CellLost; then, or if left early, it must be killed."""
        patience = self._config.wall_seconds * 3 * (len(history) + 1) + GRACE_SECONDS
        try:
            self._writer.write(wire.encode({"history": history, "snippets": list(snippets)}))
            await self._writer.drain()
        except ConnectionError as error:
            raise CellLost(str(error)) from error
        for _ in snippets:
            message = await self._receive(patience)
            try:
                yield Report(**message)
            except TypeError as error:
                raise CellLost("not a report") from error

    def kill(self) -> None:
        """End the process; the kernel ends its nodes with it."""
        if hasattr(self, "_writer"):
            self._writer.close()
        self._process.kill()
        self._process.wait()

    async def _receive(self, seconds: float) -> dict[str, Any]:
        try:
            async with asyncio.timeout(seconds):
                length = wire.body_length(await self._reader.readexactly(wire.HEADER.size))
                return wire.decode(await self._reader.readexactly(length))
        except (asyncio.IncompleteReadError, ConnectionError, TimeoutError, wire.BadMessage) as error:
            raise CellLost(f"cell {self.pid}: {error!r}") from error


def _settings(config: ExecutorConfig, tier: str) -> Settings:
    return Settings(
        tier=tier,
        semantics=config.semantics,
        cpu_seconds=int(config.cpu_seconds),
        wall_seconds=config.wall_seconds,
        memory_bytes=config.memory_mb << 20,
        output_chars=config.output_chars,
    )


def _spawn(fd: int, settings: Settings) -> subprocess.Popen[bytes]:
    """A fresh interpreter: clean environment, no user site in its path, nothing of ours open but `fd`."""
    folder = str(Path(__file__).parent)
    arguments = [folder, str(fd), str(os.getpid()), json.dumps(dataclasses.asdict(settings))]
    return subprocess.Popen(
        [sys.executable, "-s", "-P", "-B", "-c", BOOTSTRAP, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        env=ENVIRONMENT,
        cwd="/",
        pass_fds=(fd,),
        start_new_session=True,  # Ctrl-C is for the pool to handle
    )
