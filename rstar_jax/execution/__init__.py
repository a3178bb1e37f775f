"""Runs code steps: separate processes, limits enforced from outside, nothing shared between siblings or
problems.

`pool` hands expansions to cells, `client` is one cell process as the pool sees it, and `cell/` is what
that process runs.
"""

from .client import CellLost
from .config import ExecutorConfig
from .metrics import ExecutorMetrics
from .pool import ExecutorPool

__all__ = ["CellLost", "ExecutorConfig", "ExecutorMetrics", "ExecutorPool"]
