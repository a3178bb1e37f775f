"""What callers say to the engine, and what it answers."""

from __future__ import annotations

import dataclasses
from typing import Literal

Finish = Literal["stop", "length", "overlong"]


@dataclasses.dataclass(frozen=True)
class Sampling:
    """How a completion is drawn.

    temperature: 0 is greedy.
    top_k: only the k most likely tokens are drawn (0: all).
    top_p: only the smallest set of most likely tokens whose probability reaches p is drawn (1: all).
    max_tokens: at most so many tokens, the stop token included.
    """

    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    max_tokens: int = 256

    def __post_init__(self) -> None:
        if self.temperature < 0 or not 0 < self.top_p <= 1 or self.top_k < 0 or self.max_tokens < 1:
            raise ValueError(f"impossible sampling parameters: {self}")


@dataclasses.dataclass(frozen=True)
class Completion:
    """Generated tokens.

    tokens: the stop token included when `finish` is "stop"; empty when the prompt alone fills the context.
    logprob: sum of the tokens' log-probabilities under the plain model (temperature 1, nothing filtered).
    finish: "stop" a stop token was drawn; "length" `max_tokens` was reached; "overlong" the context is full.
    """

    tokens: tuple[int, ...]
    logprob: float
    finish: Finish


@dataclasses.dataclass(frozen=True)
class EngineConfig:
    """Sizes of the generation engine: together with the model they fix every compiled shape.

    lengths: context lengths (prompt and completion), ascending. A request uses the shortest that holds its
        prompt and its `max_tokens`; each has slots of its own. The last is the longest context there is.
    slots: rows of each length that are decoded together. A CPU's cache likes few, an accelerator many.
    decode_steps: tokens per row and dispatch; requests join and leave between dispatches.
    chunk: prompt tokens per row and prefill dispatch. Prefixes are reused in multiples of it.
    prefill_rows: prompts that are prefilled together.
    admit_rows: candidates whose prompts are copied into slots together.
    prefix_rows: prompts whose keys and values are kept, the least recently used leaving first.
    """

    lengths: tuple[int, ...] = (128, 192, 256, 384)
    slots: int = 32
    decode_steps: int = 8
    chunk: int = 32
    prefill_rows: int = 4
    admit_rows: int = 8
    prefix_rows: int = 128

    def __post_init__(self) -> None:
        if not self.lengths or list(self.lengths) != sorted(set(self.lengths)):
            raise ValueError(f"lengths={self.lengths} do not ascend")
        if min(self.slots, self.decode_steps, self.chunk, self.prefill_rows, self.admit_rows) < 1:
            raise ValueError(f"sizes must be positive: {self}")
        if self.prefix_rows < 2 * self.prefill_rows:
            raise ValueError(f"prefix_rows={self.prefix_rows} is below 2 * prefill_rows")

    @property
    def max_length(self) -> int:
        return self.lengths[-1]

    @property
    def compiled_shapes(self) -> int:
        """Programs that a whole run compiles: one prefill, and per length one admission and one decoding."""
        return 1 + 2 * len(self.lengths)


@dataclasses.dataclass(frozen=True)
class ScoringConfig:
    """Sizes of the scoring engine.

    lengths: row lengths, ascending; a row holds one trunk and its branches and uses the shortest that fits.
    tokens: tokens per dispatch, so that a length L has max(1, tokens // L) rows. Two CPU cores are as fast
        with one row as with ten, so few cost least when little waits; accelerators want thousands.
    branches: branches per row at most; more, or longer ones than a row holds, continue in further rows.
    """

    lengths: tuple[int, ...] = (128, 192, 256, 384)
    tokens: int = 256
    branches: int = 16

    def __post_init__(self) -> None:
        if not self.lengths or list(self.lengths) != sorted(set(self.lengths)):
            raise ValueError(f"lengths={self.lengths} do not ascend")
        if min(self.tokens, self.branches) < 1:
            raise ValueError(f"sizes must be positive: {self}")

    def rows(self, length: int) -> int:
        return max(1, self.tokens // length)

    @property
    def compiled_shapes(self) -> int:
        return len(self.lengths)


@dataclasses.dataclass
class Metrics:
    """Running totals; `waiting` is the queue's length now. Time in the device includes transfers."""

    prefilled: int = 0  # prompt tokens run through the model
    reused: int = 0  # prompt tokens whose keys and values were at hand
    decoded: int = 0  # tokens generated
    scored: int = 0  # tokens run through the scorer, trunks counted once per row
    dispatches: int = 0
    device_seconds: float = 0.0
    waiting: int = 0


class OverlongError(ValueError):
    """A path is longer than the longest row of the scoring engine."""
