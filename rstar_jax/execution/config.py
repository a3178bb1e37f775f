"""What an executor may spend, how it prints, and how much of a sandbox it insists on."""

from __future__ import annotations

import dataclasses
from typing import Literal, get_args

from .cell.sandbox.layers import LAYERS

Semantics = Literal["plain", "notebook", "released"]


@dataclasses.dataclass(frozen=True)
class ExecutorConfig:
    """Limits hold for one snippet; replaying a history of n steps may cost n times as much.

    `cpu_seconds` decides alike on a quiet and on a busy machine; `wall_seconds` is for programs that sleep,
    so leave it well above `cpu_seconds`. No field but the limits and `semantics` changes a result.
    """

    # What a snippet is shown to have printed: "plain": what its history printed too; "notebook": itself only;
    # "released": as the authors' code prints it, bug for bug.
    semantics: Semantics = "plain"
    cells: int = 2  # expansions that run at the same time; one per CPU core
    cpu_seconds: float = 5.0
    wall_seconds: float = 15.0
    memory_mb: int = 1024  # private writable memory, the interpreter's own (10-130 MB) included
    output_chars: int = 1024  # longer output keeps its first and last halves
    program_chars: int = 65_536  # longer programs (history and snippet together) are refused
    snapshots: int = 512  # paused processes that a cell keeps at most; 0: histories are replayed each time
    snapshot_mb: int = 2048  # memory (PSS) of all paused processes of all cells
    states: bool = False  # name the state that each step leaves (`Execution.state`), for `SearchConfig.merge_states`
    require_sandbox: bool = False  # refuse to run where the sandbox would have a hole
    left_out: tuple[str, ...] = ()  # sandbox layers not to put on, for tests and comparisons

    def __post_init__(self) -> None:
        if self.semantics not in get_args(Semantics):
            raise ValueError(f"semantics must be one of {get_args(Semantics)}, not {self.semantics!r}")
        positive = ("cells", "cpu_seconds", "wall_seconds", "memory_mb", "output_chars", "program_chars", "snapshot_mb")
        for name in positive:
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} must be positive")
        if self.snapshots < 0:
            raise ValueError("snapshots must not be negative")
        if unknown := set(self.left_out) - LAYERS.keys():
            raise ValueError(f"left_out names layers that do not exist: {', '.join(sorted(unknown))}")
