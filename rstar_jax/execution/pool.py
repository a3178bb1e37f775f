"""The executor: hands expansions to a few cells, replaces those that die, keeps the books."""

from __future__ import annotations

import collections
import contextlib
import time
from collections.abc import Sequence
from types import TracebackType

from rstar_jax.search.protocols import Execution

from .cell import tiers
from .cell.supervisor import Report
from .client import Cell, CellLost
from .config import ExecutorConfig
from .metrics import ExecutorMetrics
from .queues import Homes
from .sandbox import SandboxReport
from .slots import Slots

LOST = Execution("refused", "ProcessError: the program brought its cell down twice")
REMEMBERED_HISTORIES = 8  # for each snapshot of each cell: where a history was run


class ExecutorPool:
    """Runs code steps (the `Executor` protocol), safe to call from thousands of coroutines of one event loop.

    `expand` is a pure function of its arguments: the same as running the concatenation of the history and the
    snippet in a fresh interpreter, with hash seed and random seeds 0. Only what a program sees of the outside
    world (the clock, entropy, addresses of objects) is not promised: it may be that of an earlier, equal call.

    `cells` expansions run at a time. A request goes to the cell that has run its history, if that is free, and
    requests of different problems (that is, of different first steps) take turns; callers wait as long as that
    takes. Cells start when they are first needed and stay until `close`.

    What a snippet is shown to have printed includes what its history printed: the output of a step that
    ends a code block is the output of the whole block. Under "notebook" semantics it is its own output only.
    """

    def __init__(self, config: ExecutorConfig | None = None) -> None:
        self.config = config or ExecutorConfig()
        self.metrics = ExecutorMetrics()
        self.sandbox: SandboxReport | None = None
        """What protects the machine; known when the first cell has started."""
        self._cells: dict[int, Cell] = {}
        self._held: dict[int, tuple[int, int]] = {}  # snapshots of each cell and their bytes
        self._homes = Homes(REMEMBERED_HISTORIES * self.config.cells * self.config.snapshots)
        self._slots = Slots(self.config.cells, self._homes)
        self._closed = False

    async def __aenter__(self) -> ExecutorPool:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        await self.close()

    async def expand(self, history: tuple[str, ...], snippets: Sequence[str]) -> list[Execution]:
        """Run each snippet in the state that `history` leaves; outcomes in the order of `snippets`.

        Model-written code cannot make this raise. RuntimeError: the pool is closed. CellLost: no cell can
        be started. SandboxMissing: the configuration requires a sandbox that this machine cannot give.
        """
        history = tuple(history)
        slot = await self._slots.acquire(history, next(iter((*history, *snippets)), ""))
        try:
            if self._closed:
                raise RuntimeError("the pool is closed")
            self.metrics.expansions += 1
            return await self._expand_on(slot, history, snippets)
        finally:
            self._slots.release(slot)

    async def start(self) -> SandboxReport:
        """Start a cell if none has been, to know what protects the machine. Raises as `expand` does."""
        if self.sandbox is None:
            await self.expand((), [""])
        assert self.sandbox is not None  # a cell was started
        return self.sandbox

    @property
    def cell_pids(self) -> list[int]:
        """The cells' processes, for looking at them from outside."""
        return [cell.pid for cell in self._cells.values()]

    async def close(self) -> None:
        """End all cells, at once; expansions under way fail with CellLost or RuntimeError."""
        self._closed = True
        while self._cells:
            self._cells.popitem()[1].kill()

    async def _expand_on(self, slot: int, history: tuple[str, ...], snippets: Sequence[str]) -> list[Execution]:
        results: dict[int, Execution] = {}
        by_tier: dict[str, dict[int, str]] = collections.defaultdict(dict)
        room = self.config.program_chars - sum(map(len, history))
        for index, snippet in enumerate(snippets):
            if len(snippet) > room:
                message = f"ProgramError: the program is longer than {self.config.program_chars} characters"
                results[index] = Execution("refused", message)
            else:
                by_tier[tiers.tier_of((*history, snippet))][index] = snippet
        for tier, members in by_tier.items():
            results |= await self._run(slot, tier, history, members)
        self.metrics.steps += len(results)
        self.metrics.outcomes.update(result.outcome for result in results.values())
        self._remember(slot, history, snippets)
        return [results[index] for index in range(len(snippets))]

    async def _run(
        self, slot: int, tier: str, history: tuple[str, ...], snippets: dict[int, str]
    ) -> dict[int, Execution]:
        """Run numbered snippets in a cell. One under way when its cell dies is tried again, once."""
        results: dict[int, Execution] = {}
        waiting = collections.deque(snippets)
        losses: collections.Counter[int] = collections.Counter()
        while waiting:
            cell = await self._cell(slot)
            started = time.monotonic()
            try:
                stream = cell.expand(tier, history, [snippets[index] for index in waiting])
                async with contextlib.aclosing(stream) as messages:
                    async for message in messages:
                        if isinstance(message, Report):
                            results[waiting.popleft()] = Execution(message.outcome, message.output, message.state)  # type: ignore[arg-type]
                            self.metrics.add_report(message)
                        else:
                            self.metrics.add_totals(message)
                            self._hold(slot, message.snapshots, message.snapshot_bytes)
            except CellLost:
                self._discard(slot)
                if self._closed:
                    raise
                if waiting:
                    losses[waiting[0]] += 1
                    if losses[waiting[0]] == 2:
                        results[waiting.popleft()] = LOST
                        self.metrics.kills["lost"] += 1
            except BaseException:  # cancelled: the cell is in the middle of work that nobody waits for
                self._discard(slot)
                raise
            self.metrics.wall_seconds += time.monotonic() - started
        return results

    async def _cell(self, slot: int) -> Cell:
        if slot not in self._cells:
            cell = await Cell.start(self.config)
            try:
                if self._closed:
                    raise RuntimeError("the pool is closed")
                if self.sandbox is None:
                    cell.sandbox.check(self.config.require_sandbox)
            except BaseException:
                cell.kill()
                raise
            self.sandbox = cell.sandbox
            self._cells[slot] = cell
            self.metrics.cells_started += 1
        return self._cells[slot]

    def _discard(self, slot: int) -> None:
        cell = self._cells.pop(slot, None)
        if cell is not None:  # close() may have been faster
            cell.kill()
            self.metrics.cells_lost += 1
            self._hold(slot, 0, 0)

    def _hold(self, slot: int, snapshots: int, size: int) -> None:
        self._held[slot] = (snapshots, size)
        self.metrics.snapshots = sum(number for number, _ in self._held.values())
        self.metrics.snapshot_bytes = sum(size for _, size in self._held.values())

    def _remember(self, slot: int, history: tuple[str, ...], snippets: Sequence[str]) -> None:
        self._homes.settle(history, slot)
        for snippet in snippets:
            self._homes.settle((*history, snippet), slot)
