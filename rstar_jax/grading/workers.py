"""A pool of worker processes with the wall limit in the parent's hand.

Processes are started by `subprocess` (never forked: the parent may hold JAX), at the first question. A worker
that does not obey the limit is killed and replaced at once.
"""

from __future__ import annotations

import collections
import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence

START_LIMIT_S = 60.0  # import of SymPy on a busy machine; does not count against the limit of a question
KEPT_S = 1.0  # of a limit for what comes after it, at most: on a busy machine every step waits for its turn
GRACE_S = 0.5  # of that for a worker to end its child, before it is killed itself
COMMAND = (sys.executable, "-m", "rstar_jax.grading.worker")


class WorkerError(RuntimeError):
    """A worker could not start, or the pool is closed."""


class Worker:
    """One process and its two pipes; used by one thread at a time."""

    def __init__(self, command: tuple[str, ...]):
        environment = {**os.environ, "PYTHONSAFEPATH": "1", "OMP_NUM_THREADS": "1"}
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment
        )
        self._ready = False
        self._buffer = b""

    def wait_ready(self) -> None:
        if self._ready:
            return
        if self._line(START_LIMIT_S) is None:
            raise WorkerError(f"the grading worker did not start: {self.process.args}")
        self._ready = True

    def ask(self, gold: str, answer: str, limit_s: float) -> bool | None:
        """The worker's word, or None if it had none within the limit. WorkerError if it is of no more use.

        The limit holds the end of the child too, and that of a worker that does not obey: its last quarter is kept.
        """
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(json.dumps({"gold": gold, "answer": answer}).encode() + b"\n")
            self.process.stdin.flush()
        except BrokenPipeError as error:
            raise WorkerError("the grading worker is gone") from error
        line = self._line(limit_s - min(KEPT_S, limit_s / 4))
        if line is None:
            self.process.send_signal(signal.SIGUSR1)
            line = self._line(GRACE_S)
        if line is None:
            raise WorkerError("the grading worker hangs")
        return json.loads(line)["equal"]

    def _line(self, limit_s: float) -> bytes | None:
        """One line of output; None at the limit or at the end of the pipe."""
        assert self.process.stdout is not None
        deadline = time.monotonic() + limit_s
        descriptor = self.process.stdout.fileno()
        while b"\n" not in self._buffer:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([descriptor], [], [], left)[0]:
                return None
            piece = os.read(descriptor, 65536)
            if not piece:
                return None
            self._buffer += piece
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            with contextlib.suppress(BrokenPipeError):  # a request that was never read is still in the buffer
                if pipe is not None:
                    pipe.close()


class WorkerPool:
    """Answers "is this equal?" within a limit, from any thread.

    At most `workers` questions run at once; the others wait for a turn, which does not count against their
    limit.
    """

    def __init__(self, workers: int = 1, limit_s: float = 3.0, command: tuple[str, ...] = COMMAND):
        self.limit_s = limit_s
        self._command = command
        self._turns = threading.BoundedSemaphore(workers)
        self._lock = threading.Lock()
        self._idle: collections.deque[Worker] = collections.deque()
        self._busy: set[Worker] = set()
        self._closed = False

    @property
    def pids(self) -> list[int]:
        with self._lock:
            return [w.process.pid for w in (*self._idle, *self._busy)]

    def start(self) -> None:
        """Starts one worker and waits until it can answer."""
        with self._turns:
            worker = self._take()
            worker.wait_ready()
            self._keep(worker)

    def ask(self, gold: str, answer: str) -> bool | None:
        """The verdict, or None if there was none within the limit."""
        return self.ask_any((gold,), answer)

    def ask_any(self, golds: Sequence[str], answer: str, spent_s: float = 0.0) -> bool | None:
        """Whether any of the golds is met: one limit for all of them, of which `spent_s` are gone."""
        with self._turns:
            worker = self._take()
            try:
                worker.wait_ready()
            except WorkerError:
                self._drop(worker)
                raise
            deadline = time.monotonic() + self.limit_s - spent_s
            replies: list[bool | None] = []
            try:
                while True not in replies and len(replies) < len(golds) and time.monotonic() < deadline:
                    left = deadline - time.monotonic()
                    replies.append(worker.ask(golds[len(replies)], answer, left))
            except WorkerError:
                self._drop(worker, successor=True)
                return None
            self._keep(worker)
        if True in replies:
            return True
        return None if None in replies or len(replies) < len(golds) else False

    def _take(self) -> Worker:
        with self._lock:
            if self._closed:
                raise WorkerError("the grading pool is closed")
            worker = self._idle.pop() if self._idle else Worker(self._command)
            self._busy.add(worker)
            return worker

    def _keep(self, worker: Worker) -> None:
        with self._lock:
            self._busy.discard(worker)
            self._idle.append(worker)

    def _drop(self, worker: Worker, successor: bool = False) -> None:
        with self._lock:
            self._busy.discard(worker)
            if successor and not self._closed:
                self._idle.append(Worker(self._command))
        worker.kill()

    def close(self) -> None:
        """Kills every worker; a question under way ends without a verdict."""
        with self._lock:
            self._closed = True
            idle, busy = list(self._idle), list(self._busy)
            self._idle.clear()
        for worker in idle:
            worker.kill()
        for worker in busy:
            worker.process.kill()
