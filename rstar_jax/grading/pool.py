"""The grader that the rest of the house uses: first stage, worker processes behind it, a cache in front."""

from __future__ import annotations

import asyncio
import collections
import dataclasses
import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from rstar_jax.grading.alternatives import golds
from rstar_jax.grading.extract import Semantics
from rstar_jax.grading.first_stage import Verdict, closed, verdict
from rstar_jax.grading.normalise import clean
from rstar_jax.grading.notation import strict_clean
from rstar_jax.grading.released import released_verdict
from rstar_jax.grading.workers import WorkerPool

_BOX = re.compile(r"\\(?:boxed|fbox)\s*(?=\{)")


@dataclasses.dataclass
class GraderStats:
    """Counts since the start. `unanswered` fallbacks ended without a verdict: over the limit or broken."""

    calls: int = 0
    cache_hits: int = 0
    fallbacks: int = 0
    unanswered: int = 0


class GraderPool:
    """Implements the `Grader` protocol of search, and a synchronous call usable from any thread.

    strict: value counts, exactly (rules 1 to 16). released: the lenient union of the published code, for
    comparison with published numbers. What the first stage cannot tell goes to a worker process. A call takes
    `time_limit_s` of wall time at most, besides the start of a worker and its turn; without a reply the answer counts
    as wrong. Workers start with the first such question.
    """

    def __init__(
        self,
        semantics: Semantics = "strict",
        time_limit_s: float = 3.0,
        workers: int = 1,
        cache_size: int = 100_000,
    ):
        if semantics not in ("strict", "released"):
            raise ValueError(f"semantics must be 'strict' or 'released', not {semantics!r}")
        self.semantics: Semantics = semantics
        self.stats = GraderStats()
        self._first = verdict if semantics == "strict" else released_verdict
        self._workers = WorkerPool(workers, time_limit_s)
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix="grading")
        self._cache: collections.OrderedDict[tuple[str, str], bool] = collections.OrderedDict()
        self._cache_size = cache_size
        self._lock = threading.Lock()

    async def grade(self, answer: str, truth: str) -> bool:
        """Whether `answer` equals `truth`. Only questions for a worker leave the event loop."""
        known = self._look_up(answer, truth)
        if known is not None:
            return known
        began = time.monotonic()
        first = self._first(answer, truth)
        if first != "unknown":
            return self._keep(answer, truth, first == "equal")
        spent = time.monotonic() - began
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, self._fall_back, answer, truth, spent)

    def grade_sync(self, answer: str, truth: str) -> bool:
        """The same, blocking; from any thread."""
        known = self._look_up(answer, truth)
        if known is not None:
            return known
        began = time.monotonic()
        first: Verdict = self._first(answer, truth)
        if first != "unknown":
            return self._keep(answer, truth, first == "equal")
        return self._fall_back(answer, truth, time.monotonic() - began)

    @property
    def worker_pids(self) -> list[int]:
        """Process ids of the workers, the spare one included; empty before the first fallback."""
        return self._workers.pids

    def start(self) -> None:
        """Starts a worker now, so that the first fallback does not wait for its imports."""
        self._workers.start()

    def close(self) -> None:
        self._workers.close()
        self._threads.shutdown(wait=True)

    def __enter__(self) -> GraderPool:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _look_up(self, answer: str, truth: str) -> bool | None:
        with self._lock:
            self.stats.calls += 1
            known = self._cache.get((answer, truth))
            if known is not None:
                self.stats.cache_hits += 1
                self._cache.move_to_end((answer, truth))
            return known

    def _fall_back(self, answer: str, truth: str, spent_s: float) -> bool:
        texts = [self._for_worker(closed(gold)) for gold in golds(truth)]
        reply = self._workers.ask_any(texts, self._for_worker(answer), spent_s)
        with self._lock:
            self.stats.fallbacks += 1
            self.stats.unanswered += reply is None
        return self._keep(answer, truth, reply is True)

    def _for_worker(self, text: str) -> str:
        """Without inner boxes: math-verify reads nothing but the last of them."""
        return _BOX.sub("", strict_clean(text) or "") if self.semantics == "strict" else clean(text) or ""

    def _keep(self, answer: str, truth: str, equal: bool) -> bool:
        with self._lock:
            self._cache[(answer, truth)] = equal
            if len(self._cache) > self._cache_size:
                self._cache.popitem(last=False)
        return equal
