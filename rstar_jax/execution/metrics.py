"""What a pool has done so far."""

from __future__ import annotations

import collections
import dataclasses
import time

from .cell.supervisor import Report, Totals


@dataclasses.dataclass
class ExecutorMetrics:
    """Running totals. `kills` is by reason: "cpu", "wall", "crash", or "lost" (the cell died, twice)."""

    expansions: int = 0
    steps: int = 0  # snippets answered
    hits: int = 0  # histories whose state was still there, and snippets whose result was
    misses: int = 0  # histories that had to be replayed
    replayed_steps: int = 0  # steps that were run again
    restarts: int = 0  # snippets that went on with the history's last block, so that was run again with them
    evictions: int = 0
    forks_refused: int = 0  # attempts of model-written code to start a process in the one way that reaches us
    outcomes: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)
    kills: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)
    cells_started: int = 0
    cells_lost: int = 0
    cpu_seconds: float = 0.0  # used by model-written code, replays included
    wall_seconds: float = 0.0  # of cells at work
    snapshots: int = 0  # paused processes now, all cells
    snapshot_bytes: int = 0  # their memory (PSS, partly estimated)
    started: float = dataclasses.field(default_factory=time.monotonic)

    @property
    def steps_per_second(self) -> float:
        """Since the pool was made."""
        return self.steps / max(time.monotonic() - self.started, 1e-9)

    def add_report(self, report: Report) -> None:
        self.cpu_seconds += report.cpu_seconds
        self.restarts += report.restarted
        if report.killed:
            self.kills[report.killed] += 1

    def add_totals(self, totals: Totals) -> None:
        """Everything but the snapshots, which are not sums over time."""
        for name in ("hits", "misses", "replayed_steps", "evictions", "forks_refused"):
            setattr(self, name, getattr(self, name) + getattr(totals, name))
        self.cpu_seconds += totals.replay_cpu_seconds

    def as_dict(self) -> dict[str, float | dict[str, int]]:
        """Plain values for a log line or a JSON file."""
        values = dataclasses.asdict(self)
        del values["started"]
        rate = round(self.steps_per_second, 3)
        return {**values, "steps_per_second": rate, "outcomes": dict(self.outcomes), "kills": dict(self.kills)}
