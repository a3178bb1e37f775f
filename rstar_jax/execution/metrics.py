"""What a pool has done so far."""

from __future__ import annotations

import collections
import dataclasses


@dataclasses.dataclass
class ExecutorMetrics:
    """Running totals. `kills` is by reason: "cpu", "wall", "crash", or "lost" (the cell died, twice)."""

    expansions: int = 0
    steps: int = 0  # snippets answered
    replayed_steps: int = 0  # steps of histories that were run again
    restarts: int = 0  # snippets that went on with the history's last block, so the whole program was run
    outcomes: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)
    kills: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)
    cells_started: int = 0
    cells_lost: int = 0
    cpu_seconds: float = 0.0  # used by model-written code, replays included
    wall_seconds: float = 0.0

    def as_dict(self) -> dict[str, float | dict[str, int]]:
        """Plain values for a log line or a JSON file."""
        values = dataclasses.asdict(self)
        return {**values, "outcomes": dict(self.outcomes), "kills": dict(self.kills)}
