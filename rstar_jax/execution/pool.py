"""The executor: hands expansions to a few cells, replaces those that die, keeps the books."""

from __future__ import annotations

import asyncio
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

LOST = Execution("refused", "ProcessError: the program brought its cell down twice")


class ExecutorPool:
    """Runs code steps (the `Executor` protocol), safe to call from thousands of coroutines of one event loop.

    `expand` is a pure function of its arguments: the same as running the concatenation of the history and the
    snippet in a fresh interpreter, with hash seed and random seeds 0. Callers are served first come, first
    served, `cells` at a time. Cells start when they are first needed and stay until `close`.

    What a snippet is shown to have printed includes what its history printed: the output of a step that
    ends a code block is the output of the whole block.
    """

    def __init__(self, config: ExecutorConfig | None = None) -> None:
        self.config = config or ExecutorConfig()
        self.metrics = ExecutorMetrics()
        # A slot is the right to run one expansion, with the cells, one per tier, that it has started.
        self._slots: list[dict[str, Cell]] = [{} for _ in range(self.config.cells)]
        self._idle: asyncio.Queue[dict[str, Cell]] = asyncio.Queue()
        for slot in self._slots:
            self._idle.put_nowait(slot)
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
        be started.
        """
        slot = await self._idle.get()  # waiters are served in the order of their calls
        try:
            if self._closed:
                raise RuntimeError("the pool is closed")
            self.metrics.expansions += 1
            return await self._expand_on(slot, tuple(history), snippets)
        finally:
            self._idle.put_nowait(slot)

    async def close(self) -> None:
        """End all cells, at once; expansions under way fail with CellLost or RuntimeError."""
        self._closed = True
        for slot in self._slots:
            while slot:
                slot.popitem()[1].kill()

    async def _expand_on(
        self, slot: dict[str, Cell], history: tuple[str, ...], snippets: Sequence[str]
    ) -> list[Execution]:
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
        self._count(results)
        return [results[index] for index in range(len(snippets))]

    async def _run(
        self, slot: dict[str, Cell], tier: str, history: tuple[str, ...], snippets: dict[int, str]
    ) -> dict[int, Execution]:
        """Run numbered snippets in a cell of one tier. One under way when its cell dies is tried again."""
        results: dict[int, Execution] = {}
        waiting = collections.deque(snippets)
        losses: collections.Counter[int] = collections.Counter()
        while waiting:
            cell = await self._cell(slot, tier)
            self.metrics.replayed_steps += len(history)
            started = time.monotonic()
            try:
                stream = cell.expand(history, [snippets[index] for index in waiting])
                async with contextlib.aclosing(stream) as reports:
                    async for report in reports:
                        results[waiting.popleft()] = self._accept(report)
            except CellLost:
                self._discard(slot, tier)
                if self._closed:
                    raise
                losses[waiting[0]] += 1
                if losses[waiting[0]] == 2:
                    results[waiting.popleft()] = LOST
                    self.metrics.kills["lost"] += 1
            except BaseException:  # cancelled: the cell is in the middle of work that nobody waits for
                self._discard(slot, tier)
                raise
            self.metrics.wall_seconds += time.monotonic() - started
        return results

    async def _cell(self, slot: dict[str, Cell], tier: str) -> Cell:
        if tier not in slot:
            cell = await Cell.start(self.config, tier)
            if self._closed:
                cell.kill()
                raise RuntimeError("the pool is closed")
            slot[tier] = cell
            self.metrics.cells_started += 1
        return slot[tier]

    def _discard(self, slot: dict[str, Cell], tier: str) -> None:
        cell = slot.pop(tier, None)
        if cell is not None:  # close() may have been faster
            cell.kill()
            self.metrics.cells_lost += 1

    def _accept(self, report: Report) -> Execution:
        self.metrics.cpu_seconds += report.cpu_seconds
        self.metrics.restarts += report.restarted
        if report.killed:
            self.metrics.kills[report.killed] += 1
        return Execution(report.outcome, report.output)  # type: ignore[arg-type]

    def _count(self, results: dict[int, Execution]) -> None:
        self.metrics.steps += len(results)
        self.metrics.outcomes.update(result.outcome for result in results.values())
