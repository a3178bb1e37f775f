"""Decides what the next turn computes. Host-side bookkeeping only: no device, no clock.

A turn is a list of dispatches, run in order: pages are copied for those that begin in the middle of one, new tokens go
through the model (several times, while rows could be filled that way), then every row draws some tokens. What a
request is given is a function of the request alone; only when it is given depends on the others.
"""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Sequence

import numpy as np

from rstar_jax.inference.config import Completion, EngineConfig, Metrics
from rstar_jax.inference.filling import ExtendBatch, PathFill
from rstar_jax.inference.jobs import Branch, Job, Request
from rstar_jax.inference.running import DecodeBatch, Running, make_batch
from rstar_jax.inference.shard import Shard
from rstar_jax.inference.text_stops import StopTexts


@dataclasses.dataclass(frozen=True)
class CopyBatch:
    """Pages `targets` become pages `sources`; [shards * C]."""

    sources: np.ndarray
    targets: np.ndarray


Dispatch = CopyBatch | ExtendBatch | DecodeBatch


class Scheduler:
    """Requests of one engine on the shards of its mesh. pages: of each shard's pool."""

    def __init__(
        self,
        config: EngineConfig,
        shards: int,
        pages: int,
        stop_ids: Sequence[int],
        metrics: Metrics,
        stop_texts: StopTexts | None = None,
        values: bool = False,
    ):
        self.config = config
        self.n_shards = shards
        self.pages = pages
        self.stop_ids = frozenset(stop_ids)
        self.metrics = metrics
        self.stop_texts = stop_texts
        self.values = values
        self.clear()

    def clear(self) -> None:
        """Forget all requests and all pages."""
        self.shards = [Shard(self.config, self.pages, self.metrics) for _ in range(self.n_shards)]
        self._begun = 0
        self._count()

    @property
    def idle(self) -> bool:
        return not any(shard.load for shard in self.shards)

    def submit(self, request: Request, trunk: np.ndarray, branches: Sequence[Branch]) -> None:
        """A new request, on the shard that knows most of its trunk; among equals on the one with least to do."""
        job = Job(request, trunk, collections.deque(branches))
        best = self.shards[0]
        if self.n_shards > 1:
            known = [shard.table.match(trunk).length(self.config.page_size) for shard in self.shards]
            best = max(zip(known, self.shards, strict=True), key=lambda pair: (pair[0], -pair[1].load))[1]
        best.submit(job)
        self._count()

    def next_number(self) -> int:
        """Requests are numbered in the order in which they come."""
        self._begun += 1
        return self._begun

    def plan(self) -> list[Dispatch]:
        """The next turn; empty if there is nothing to do."""
        turn: list[Dispatch] = []
        for _ in range(self.config.extends):
            for shard in self.shards:
                shard.begin_jobs()
                shard.begin_paths()
            turn += self._copies()
            batch = self._extend()
            if batch is None:
                break
            turn.append(batch)
        for shard in self.shards:
            shard.admit()
            shard.secure(self.config.decode_steps)
        turn += self._copies()
        if any(len(shard.running) for shard in self.shards):
            turn.append(self._decode())
        self._count()
        return turn

    def _copies(self) -> list[CopyBatch]:
        size = self.config.copies
        pairs = [list(shard.copies.items()) for shard in self.shards]
        batches = []
        for start in range(0, max(map(len, pairs)), size):
            batch = self.empty_copies()
            for shard, found in enumerate(pairs):
                some = found[start : start + size]
                at = shard * size
                batch.targets[at : at + len(some)] = [target for target, _ in some]
                batch.sources[at : at + len(some)] = [source for _, source in some]
            batches.append(batch)
        for shard in self.shards:
            shard.copies.clear()
        return batches

    def empty_copies(self) -> CopyBatch:
        """Copies of page 0 to beyond the pool."""
        size = self.n_shards * self.config.copies
        return CopyBatch(np.zeros(size, np.int32), np.full(size, self.pages, np.int32))

    def _extend(self) -> ExtendBatch | None:
        needed = max(shard.filling.rows() for shard in self.shards)
        if not needed:
            return None
        batch = self.empty_extend(_fitting(self.config.tokens, needed))
        for index, shard in enumerate(self.shards):
            finished, laid = shard.filling.lay(batch, index, self.n_shards)
            for fill in finished:
                if isinstance(fill, PathFill):  # its value is on its way, and nothing else needs its pages
                    shard.table.release(fill.sequence.pages)
            if self.values:
                self.metrics.scored += laid
            else:
                self.metrics.prefilled += laid
        return batch

    def empty_extend(self, rows: int) -> ExtendBatch:
        return ExtendBatch.empty(self.n_shards, rows, self.config)

    def _decode(self) -> DecodeBatch:
        running = [shard.running for shard in self.shards]
        rows = _fitting(self.config.rows, max(map(len, running)))
        return make_batch(running, rows, self.config.widths)

    def empty_decode(self, rows: int) -> DecodeBatch:
        """Idle rows."""
        config = self.config
        idle = [Running(config.rows[-1], config.columns, config.page_size, config.block) for _ in self.shards]
        return make_batch(idle, rows, config.widths)

    def absorb(self, tokens: np.ndarray, logprobs: np.ndarray) -> None:
        """Hand freshly drawn tokens (rows of all shards by steps, -1 for none) to their candidates."""
        rows = len(tokens) // self.n_shards
        counts = (tokens >= 0).sum(axis=1)
        sums = logprobs.astype(np.float64).sum(axis=1)
        for index, shard in enumerate(self.shards):
            part = slice(index * rows, (index + 1) * rows)
            self._absorb(shard, tokens[part], counts[part], sums[part], logprobs[part])
        self.metrics.decoded += int(counts.sum())
        self._count()

    def _absorb(
        self, shard: Shard, tokens: np.ndarray, counts: np.ndarray, sums: np.ndarray, logprobs: np.ndarray
    ) -> None:
        running = shard.running
        count = len(running)
        drawn = tokens.tolist()
        for row in range(count - 1, -1, -1):  # a row that leaves is taken by a later one
            branch, new = running.branches[row], drawn[row][: counts[row]]
            branch.tokens += new
            branch.logprob += float(sums[row])
            running.slots.token[row] = new[-1]
            running.slots.position[row] += counts[row]
            running.slots.drawn[row] += counts[row]
            completion = self._completion(branch, logprobs[row, : counts[row]])
            if completion is not None:
                shard.retire(row)
                branch.request.deliver(branch.number, completion)

    def _completion(self, branch: Branch, logprobs: np.ndarray) -> Completion | None:
        """The finished completion of a candidate, if it is finished."""
        drawing, tokens = branch.drawing, branch.tokens
        assert drawing is not None
        if drawing.sampling.stop and self.stop_texts is not None:
            kept = self.stop_texts.end(tokens, len(logprobs), drawing.sampling.stop)
            if kept is not None:
                unread = len(tokens) - kept  # drawn in the same dispatch, after the text was complete
                branch.logprob -= float(logprobs[len(logprobs) - unread :].astype(np.float64).sum())
                del tokens[kept:]
                return Completion(tuple(tokens), branch.logprob, "stop")
        if tokens[-1] in self.stop_ids:
            return Completion(tuple(tokens), branch.logprob, "stop")
        if len(tokens) == drawing.limit:
            finish = "length" if drawing.limit == drawing.sampling.max_tokens else "overlong"
            return Completion(tuple(tokens), branch.logprob, finish)
        return None

    def _count(self) -> None:
        metrics, shards = self.metrics, self.shards
        metrics.waiting = sum(len(shard.waiting) for shard in shards)
        metrics.running = sum(len(shard.running) for shard in shards)
        metrics.pages = self.pages * self.n_shards
        metrics.held = sum(shard.table.held for shard in shards)
        metrics.cached = sum(shard.table.cached for shard in shards)


def _fitting(sizes: Sequence[int], needed: int) -> int:
    """The smallest size that holds what is needed, else the largest."""
    return next((size for size in sizes if size >= needed), sizes[-1])
