"""Decides what the next dispatch computes. Host-side bookkeeping only: no device, no clock.

A request waits, is prefilled chunk by chunk into a row of the prefix store, stands ready, and its candidates
enter slots of the lane of its length as these fall free. What a request is given (lane, chunks, keys) is a
function of the request alone; only when it is given depends on the others.
"""

from __future__ import annotations

import asyncio
import collections
import dataclasses
from typing import Any

import numpy as np

from rstar_jax.inference.config import Completion, EngineConfig, Metrics, Sampling
from rstar_jax.inference.prefix import PrefixIndex
from rstar_jax.inference.programs import Slots


@dataclasses.dataclass(eq=False)
class Request:
    """`n` completions of one prompt, on their way."""

    prompt: np.ndarray  # int32 [L]
    n: int
    sampling: Sampling
    key: int
    future: asyncio.Future
    lane: int  # context length of its slots
    limit: int  # tokens to draw at most, per completion
    row: int = -1  # of the prefix store
    prefilled: int = 0  # tokens of `context` in that row
    admitted: int = 0  # candidates that have entered a slot
    completions: dict[int, Completion] = dataclasses.field(default_factory=dict)

    @property
    def context(self) -> np.ndarray:
        """The prompt without its last token, which the first decoding step reads."""
        return self.prompt[:-1]


@dataclasses.dataclass(eq=False)
class Candidate:
    """One completion in its slot."""

    request: Request
    number: int
    tokens: list[int] = dataclasses.field(default_factory=list)
    logprob: float = 0.0


@dataclasses.dataclass(frozen=True)
class PrefillBatch:
    sources: np.ndarray
    targets: np.ndarray
    tokens: np.ndarray
    positions: np.ndarray


@dataclasses.dataclass(frozen=True)
class Admissions:
    sources: np.ndarray
    targets: np.ndarray


class Lane:
    """The slots of one context length."""

    def __init__(self, length: int, slots: int):
        self.length = length
        self.candidates: list[Candidate | None] = [None] * slots
        self.ready: collections.deque[Request] = collections.deque()
        self.waited = 0  # dispatches since its last one
        # NumPy's, since the host writes to them; a dispatch makes arrays of its device of them.
        arrays: dict[str, Any] = {
            **{name: np.zeros(slots, np.int32) for name in ("token", "position", "drawn", "limit", "candidate")},
            "key": np.zeros((slots, 2), np.uint32),
            "temperature": np.zeros(slots, np.float32),
            "top_p": np.ones(slots, np.float32),
            "top_k": np.zeros(slots, np.int32),
        }
        self.state = Slots(**arrays)

    @property
    def occupied(self) -> int:
        return sum(candidate is not None for candidate in self.candidates)

    @property
    def ready_candidates(self) -> int:
        return sum(request.n - request.admitted for request in self.ready)

    def enter(self, slot: int, request: Request) -> None:
        """The request's next candidate takes the slot."""
        number, sampling = request.admitted, request.sampling
        request.admitted += 1
        self.candidates[slot] = Candidate(request, number)
        values = {
            "token": request.prompt[-1],
            "position": len(request.prompt) - 1,
            "drawn": 0,
            "limit": request.limit,
            "candidate": number,
            "key": (request.key >> 32, request.key & 0xFFFFFFFF),
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "top_k": sampling.top_k,
        }
        for name, value in values.items():
            getattr(self.state, name)[slot] = value


class Scheduler:
    """Requests, rows and slots of one engine."""

    def __init__(self, config: EngineConfig, stop_ids: tuple[int, ...], metrics: Metrics):
        self.config = config
        self.stop_ids = frozenset(stop_ids)
        self.metrics = metrics
        self.clear()

    def clear(self) -> None:
        """Forget all requests and all prefixes."""
        config = self.config
        self.waiting: collections.deque[Request] = collections.deque()
        self.filling: list[Request] = []
        self.lanes = {length: Lane(length, config.slots) for length in config.lengths}
        self.prefixes = PrefixIndex(config.prefix_rows, config.chunk)
        self.metrics.waiting = 0

    @property
    def idle(self) -> bool:
        return not (self.waiting or self.filling or any(x.ready or x.occupied for x in self.lanes.values()))

    def lane_of(self, needed: int) -> int:
        """The shortest context that holds `needed` tokens, else the longest there is."""
        return next((length for length in self.config.lengths if length >= needed), self.config.max_length)

    def submit(self, request: Request) -> None:
        self.waiting.append(request)
        self.metrics.waiting = len(self.waiting)

    # Prefill.

    def plan_prefill(self) -> PrefillBatch | None:
        """The next chunk of up to `prefill_rows` prompts; None while enough is ready or too little waits."""
        rows, ready = self.config.prefill_rows, sum(x.ready_candidates for x in self.lanes.values())
        if ready and (ready >= self.config.slots or len(self.filling) + len(self.waiting) < rows):
            return None
        sources = {request: request.row for request in self.filling}
        while self.waiting and len(self.filling) < rows and self._start(self.waiting[0], sources):
            self.waiting.popleft()
        self.metrics.waiting = len(self.waiting)
        return self._chunks(sources) if self.filling else None

    def _start(self, request: Request, sources: dict[Request, int]) -> bool:
        """Give the request a row, and what is known of its prompt; False if every row is in use."""
        if request.future.done():  # its waiter has gone
            return True
        source, known = self.prefixes.find(request.context)
        if known == len(request.context):
            request.row = source
            self.prefixes.hold(source)
            self.lanes[request.lane].ready.append(request)
        else:
            self.prefixes.touch(source)
            row = self.prefixes.claim()
            if row is None:
                return False
            request.row, request.prefilled = row, known
            self.filling.append(request)
            sources[request] = source
        self.metrics.reused += known
        return True

    def _chunks(self, sources: dict[Request, int]) -> PrefillBatch:
        batch, chunk = self.empty_prefill(), self.config.chunk
        for index, request in enumerate(self.filling):
            new = request.context[request.prefilled : request.prefilled + chunk]
            batch.sources[index], batch.targets[index] = sources[request], request.row
            batch.tokens[index, : len(new)] = new
            batch.positions[index, : len(new)] = request.prefilled + np.arange(len(new))
            request.prefilled += len(new)
            self.metrics.prefilled += len(new)
        for request in self.filling:
            self.prefixes.register(request.row, request.context[: request.prefilled])
            if request.prefilled == len(request.context):
                self.lanes[request.lane].ready.append(request)
        self.filling = [request for request in self.filling if request.prefilled < len(request.context)]
        return batch

    def empty_prefill(self) -> PrefillBatch:
        """A batch of padding: it reads row 0 and writes beyond the store, at positions beyond the context."""
        rows, chunk = self.config.prefill_rows, self.config.chunk
        return PrefillBatch(
            sources=np.zeros(rows, np.int32),
            targets=np.full(rows, self.config.prefix_rows, np.int32),
            tokens=np.zeros((rows, chunk), np.int32),
            positions=np.full((rows, chunk), self.config.max_length, np.int32),
        )

    # Slots.

    def next_lane(self) -> Lane | None:
        """The lane that decodes next: many candidates go first, and those that waited long."""
        lanes = [lane for lane in self.lanes.values() if lane.ready or lane.occupied]
        if not lanes:
            return None
        for lane in lanes:
            lane.waited += 1
        slots = self.config.slots
        chosen = max(lanes, key=lambda x: x.waited * min(slots, x.occupied + x.ready_candidates))
        chosen.waited = 0
        return chosen

    def plan_admissions(self, lane: Lane) -> list[Admissions]:
        """Fill the free slots of a lane."""
        free = [slot for slot, candidate in enumerate(lane.candidates) if candidate is None]
        pairs = []
        for slot in free:
            if not lane.ready:
                break
            request = lane.ready[0]
            pairs.append((request.row, slot))
            lane.enter(slot, request)
            if request.admitted == request.n:
                lane.ready.popleft()
                self.prefixes.release(request.row)
        size = self.config.admit_rows
        return [self._copies(pairs[start : start + size]) for start in range(0, len(pairs), size)]

    def _copies(self, pairs: list[tuple[int, int]]) -> Admissions:
        copies = self.empty_admissions()
        copies.sources[: len(pairs)], copies.targets[: len(pairs)] = np.array(pairs, np.int32).T
        return copies

    def empty_admissions(self) -> Admissions:
        """Copies of row 0 to beyond the slots."""
        size = self.config.admit_rows
        return Admissions(np.zeros(size, np.int32), np.full(size, self.config.slots, np.int32))

    def absorb(self, lane: Lane, tokens: np.ndarray, logprobs: np.ndarray) -> None:
        """Hand a lane's freshly drawn tokens (slots by steps, -1 for none) to its candidates."""
        counts = (tokens >= 0).sum(axis=1)
        sums = logprobs.astype(np.float64).sum(axis=1)
        for slot, candidate in enumerate(lane.candidates):
            if candidate is not None:
                new = tokens[slot, : counts[slot]].tolist()
                candidate.tokens += new
                candidate.logprob += float(sums[slot])
                lane.state.token[slot] = new[-1]
                if new[-1] in self.stop_ids or len(candidate.tokens) == candidate.request.limit:
                    self._finish(lane, slot, candidate)
        lane.state.position[:] += counts
        lane.state.drawn[:] += counts
        self.metrics.decoded += int(counts.sum())

    def _finish(self, lane: Lane, slot: int, candidate: Candidate) -> None:
        request = candidate.request
        if candidate.tokens[-1] in self.stop_ids:
            finish = "stop"
        else:
            finish = "length" if len(candidate.tokens) == request.sampling.max_tokens else "overlong"
        request.completions[candidate.number] = Completion(tuple(candidate.tokens), candidate.logprob, finish)
        lane.candidates[slot] = None
        lane.state.limit[slot] = 0
        if len(request.completions) == request.n and not request.future.done():
            request.future.set_result([request.completions[i] for i in range(request.n)])
