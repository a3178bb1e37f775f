"""Runs code steps: interpreter states forked per node, inside a sandbox; nothing shared between siblings or
problems.

`pool` hands expansions to cells (`slots`, `queues`: in what order), `client` is one cell process as the pool
sees it, `launch` starts it, and `cell/` is what that process runs.
"""

from .client import CellLost
from .config import ExecutorConfig
from .metrics import ExecutorMetrics
from .pool import ExecutorPool
from .sandbox import SandboxMissing, SandboxReport

__all__ = ["CellLost", "ExecutorConfig", "ExecutorMetrics", "ExecutorPool", "SandboxMissing", "SandboxReport"]
