"""What an executor may spend and how it prints."""

from __future__ import annotations

import dataclasses
from typing import Literal

Semantics = Literal["plain", "released"]


@dataclasses.dataclass(frozen=True)
class ExecutorConfig:
    """Limits hold for one snippet; replaying a history of n steps may cost n times as much.

    `cpu_seconds` decides alike on a quiet and on a busy machine; `wall_seconds` is for programs that sleep,
    so leave it well above `cpu_seconds`.
    """

    semantics: Semantics = "plain"  # "released": output as the authors' code prints it, bug for bug
    cells: int = 2  # expansions that run at the same time; one per CPU core
    cpu_seconds: int = 5  # RLIMIT_CPU knows whole seconds only
    wall_seconds: float = 15.0
    memory_mb: int = 1024  # private writable memory, the interpreter's own (10-130 MB) included
    output_chars: int = 1024  # longer output keeps its first and last halves
    program_chars: int = 65_536  # longer programs (history and snippet together) are refused

    def __post_init__(self) -> None:
        if self.semantics not in ("plain", "released"):
            raise ValueError(f"semantics must be 'plain' or 'released', not {self.semantics!r}")
        for name in ("cells", "cpu_seconds", "wall_seconds", "memory_mb", "output_chars", "program_chars"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} must be positive")
        if self.cpu_seconds != int(self.cpu_seconds):
            raise ValueError("cpu_seconds must be a whole number")
