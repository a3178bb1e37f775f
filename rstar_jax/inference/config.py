"""What callers say to the engine, and what it answers."""

from __future__ import annotations

import dataclasses
from typing import ClassVar, Literal

from rstar_jax.models.config import Head

Finish = Literal["stop", "length", "overlong"]


@dataclasses.dataclass(frozen=True)
class Sampling:
    """How a completion is drawn.

    temperature: 0 is greedy.
    top_k: only the k most likely tokens are drawn (0: all).
    top_p: only the smallest set of most likely tokens whose probability reaches p is drawn (1: all).
    max_tokens: at most so many tokens, the stop token included.
    stop: texts that end a completion wherever they come in it, beside the engine's stop tokens.
    """

    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    max_tokens: int = 256
    stop: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.temperature < 0 or not 0 < self.top_p <= 1 or self.top_k < 0 or self.max_tokens < 1:
            raise ValueError(f"impossible sampling parameters: {self}")
        if isinstance(self.stop, str) or not all(self.stop):
            raise ValueError(f"stop must be a tuple of texts that are not empty, not {self.stop!r}")


@dataclasses.dataclass(frozen=True)
class Completion:
    """Generated tokens.

    tokens: the stop token included when `finish` is "stop", or all tokens up to the one that completes a stop text;
        empty when the prompt alone fills the context.
    logprob: sum of the tokens' log-probabilities under the plain model (temperature 1, nothing filtered).
    finish: "stop" a stop token or text was drawn; "length" `max_tokens` was reached; "overlong" the context is full.
    """

    tokens: tuple[int, ...]
    logprob: float
    finish: Finish


@dataclasses.dataclass(frozen=True)
class EngineConfig:
    """Sizes of an engine: together with the model they fix every compiled shape. Counts are per data-parallel shard.

    max_length: longest context, prompt and completion together, in tokens.
    page_size: tokens of a page, a power of two. TPUs like 64 and more, others 16.
    memory_fraction: share of the device's memory for the pages (of the host's, divided among its devices, on a CPU).
    pages: their number instead. Any number that holds one context works; what does not fit waits or is recomputed.
    tokens: sizes of a prefill or scoring dispatch, ascending. The smallest that holds what waits is used.
    rows: sizes of a decoding dispatch, ascending; the last is the number of candidates that are drawn together.
    decode_steps: tokens per row and decoding dispatch; requests join and leave between dispatches.
    item: rows that read their common pages together: consecutive new tokens, or siblings. Divides `tokens` and `rows`.
    block: tokens per step of attention in `jax.numpy`; a multiple of the page size.
    copies: pages per copying dispatch.
    extends: prefill dispatches at most before rows that could decode do so.
    """

    max_length: int = 4096
    page_size: int = 16
    memory_fraction: float = 0.1
    pages: int | None = None
    tokens: tuple[int, ...] = (64, 128, 256)
    rows: tuple[int, ...] = (16, 64)
    decode_steps: int = 8
    item: int = 8
    block: int = 64
    copies: int = 32
    extends: int = 8

    def __post_init__(self) -> None:
        for name in ("tokens", "rows"):
            sizes = getattr(self, name)
            if not sizes or list(sizes) != sorted(set(sizes)) or any(size % self.item for size in sizes):
                raise ValueError(f"{name}={sizes} do not ascend, or are no multiples of item={self.item}")
        if min(self.max_length, self.item, self.decode_steps, self.copies, self.extends) < 1 or self.item % 2:
            raise ValueError(f"sizes must be positive, and item even: {self}")
        if self.page_size & (self.page_size - 1) or self.page_size < 1 or self.block % self.page_size:
            raise ValueError(f"page_size={self.page_size} is no power of two that divides block={self.block}")
        if not 0 < self.memory_fraction < 1:
            raise ValueError(f"memory_fraction={self.memory_fraction} is not between 0 and 1")
        if self.pages is not None and self.pages < self.least_pages:
            raise ValueError(f"pages={self.pages} do not hold a context; {self.least_pages} do")

    @property
    def columns(self) -> int:
        """Pages of a block table: the longest context, and what the last item may reach beyond it; whole blocks."""
        per_block = self.block // self.page_size
        pages = -(-(self.max_length + self.item) // self.page_size)
        return -(-pages // per_block) * per_block

    @property
    def least_pages(self) -> int:
        """A trunk, and a branch behind it that shares all but its last page."""
        return -(-self.max_length // self.page_size) + 1

    @property
    def widths(self) -> tuple[int, ...]:
        """Rows of an item in decoding: powers of two up to `item`. (One would turn products into sums.)"""
        return tuple(2**power for power in range(1, self.item.bit_length()) if 2**power <= self.item)

    def compiled_shapes(self, head: Head) -> int:
        """Programs that a whole run compiles: one to copy pages, one for each size of a dispatch."""
        return 1 + len(self.tokens) + (len(self.rows) if head == "lm" else 0)


@dataclasses.dataclass
class Metrics:
    """Running totals, and the state of queue and pool now. Time in the device includes transfers."""

    NOW: ClassVar[tuple[str, ...]] = ("waiting", "running", "pages", "held", "cached")  # states, not totals

    prefilled: int = 0  # prompt tokens run through the policy
    decoded: int = 0  # tokens generated
    scored: int = 0  # tokens run through the PPM
    reused: int = 0  # tokens whose keys and values were at hand
    recomputed: int = 0  # tokens of those that had to give their pages away
    dispatches: int = 0
    device_seconds: float = 0.0
    waiting: int = 0  # jobs that have not begun
    running: int = 0  # candidates that are being drawn
    pages: int = 0  # of the pool
    held: int = 0  # pages in use
    cached: int = 0  # pages that hold something known, in use or not

    def rates(self, before: Metrics, seconds: float) -> str:
        """A few words for a progress line: what was done since `before`, and the pool now."""
        counts = ("prefilled", "decoded", "scored", "reused")
        done = {name: getattr(self, name) - getattr(before, name) for name in counts}
        speeds = [f"{name} {count / max(seconds, 1e-9):.0f}/s" for name, count in done.items() if count]
        pool = f"pool {self.held / max(self.pages, 1):.0%} used, {self.cached / max(self.pages, 1):.0%} cached"
        return ", ".join([*speeds, pool, f"{self.waiting} waiting"])


class OverlongError(ValueError):
    """A path is longer than the longest context of the engine."""
