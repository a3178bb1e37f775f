"""One cell process as the pool sees it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import subprocess
from collections.abc import AsyncGenerator, Sequence
from typing import Any

from . import launch
from .cell import wire
from .cell.node import Settings
from .cell.supervisor import Report, Totals
from .config import ExecutorConfig
from .sandbox import SandboxReport

START_SECONDS = 60.0  # a cold, busy disk
GRACE_SECONDS = 130.0  # on top of what the limits allow, before a silent cell is given up: it may be loading a tier
END_SECONDS = 2.0  # for a cell to end its processes, before it is told so more firmly


class CellLost(Exception):
    """The cell died, hung or answered nonsense."""


class Cell:
    """A running cell. Not shared: one expansion at a time."""

    def __init__(self, process: subprocess.Popen[bytes], config: ExecutorConfig) -> None:
        self._process = process
        self._config = config
        self._reader: asyncio.StreamReader
        self._writer: asyncio.StreamWriter
        self.sandbox: SandboxReport

    @classmethod
    async def start(cls, config: ExecutorConfig) -> Cell:
        """Start a process. Raises CellLost when it does not come up.

        It is started from the calling thread, with whose end it dies.
        """
        ours, theirs = socket.socketpair()
        with theirs:
            process, no_namespaces = launch.start(theirs.fileno(), _settings(config))
        cell = cls(process, config)
        try:
            cell._reader, cell._writer = await asyncio.open_connection(sock=ours)
            hello = await cell._receive(START_SECONDS)
            missing = {"namespaces": no_namespaces} if no_namespaces else {}
            cell.sandbox = SandboxReport.from_missing({**missing, **hello.get("missing", {})})
        except BaseException:
            ours.close()
            cell.kill()
            raise
        return cell

    @property
    def pid(self) -> int:
        return self._process.pid

    async def expand(
        self, tier: str, history: tuple[str, ...], snippets: Sequence[str]
    ) -> AsyncGenerator[Report | Totals, None]:
        """A report per snippet, in order, then the totals.

        Raises CellLost; then, or if left early, the cell must be killed.
        """
        # A step is at worst tried on every ancestor, the history replayed before.
        patience = self._config.wall_seconds * 3 * (len(history) + 1) + GRACE_SECONDS
        try:
            self._writer.write(wire.encode({"tier": tier, "history": history, "snippets": list(snippets)}))
            await self._writer.drain()
        except ConnectionError as error:
            raise CellLost(str(error)) from error
        for kind in [Report] * len(snippets) + [Totals]:
            message = await self._receive(patience)
            try:
                yield kind(**message)
            except TypeError as error:
                raise CellLost("not a report") from error

    def kill(self) -> None:
        """End the process with all its nodes."""
        if hasattr(self, "_writer"):
            with contextlib.suppress(OSError):  # it has hung up itself
                self._writer.get_extra_info("socket").shutdown(socket.SHUT_RDWR)
            self._writer.close()
        for insist in (None, self._process.terminate, self._process.kill):  # by itself it leaves nothing to reap
            if insist is not None:
                insist()
            try:
                self._process.wait(END_SECONDS)
                return
            except subprocess.TimeoutExpired:
                continue

    async def _receive(self, seconds: float) -> dict[str, Any]:
        try:
            async with asyncio.timeout(seconds):
                length = wire.body_length(await self._reader.readexactly(wire.HEADER.size))
                return wire.decode(await self._reader.readexactly(length))
        except (asyncio.IncompleteReadError, ConnectionError, TimeoutError, wire.BadMessage) as error:
            raise CellLost(f"cell {self.pid}: {error!r}") from error


def _settings(config: ExecutorConfig) -> Settings:
    return Settings(
        semantics=config.semantics,
        cpu_seconds=config.cpu_seconds,
        wall_seconds=config.wall_seconds,
        memory_bytes=config.memory_mb << 20,
        output_chars=config.output_chars,
        snapshots=config.snapshots,
        snapshot_bytes=(config.snapshot_mb << 20) // config.cells,
        states=config.states,
        left_out=tuple(config.left_out),
    )
