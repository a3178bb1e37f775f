"""One data-parallel shard: its pages, and who may have them.

Jobs wait, begin (their trunk gets pages and is filled), and when the trunk is there their branches begin: candidates
are drawn (`running`), paths to be valued are filled. Pages are taken when they are needed. If there are none left,
the youngest gives all of its pages away and waits again, with the tokens that it has; most of what it had will still
be known when its turn comes. The oldest never gives anything away, so something is always finished.
"""

from __future__ import annotations

import collections
import functools
import heapq
from collections.abc import Callable

from rstar_jax.inference.config import EngineConfig, Metrics
from rstar_jax.inference.filling import Filling, PathFill, TrunkFill
from rstar_jax.inference.jobs import Branch, Job, Order
from rstar_jax.inference.pages import PageTable
from rstar_jax.inference.running import Running
from rstar_jax.inference.sequences import Copies, Sequence, advance, begin, fork


class Shard:
    """Bookkeeping only: `scheduler` makes dispatches of it."""

    def __init__(self, config: EngineConfig, pages: int, metrics: Metrics):
        self.config = config
        self.metrics = metrics
        self.table = PageTable(pages, config.page_size)
        self.waiting: list[Job] = []
        self.open: list[Job] = []  # begun, with branches that have not
        self.filling = Filling(self.table, config)
        self.running = Running(config.rows[-1], config.columns, config.page_size, config.block)
        self.copies: Copies = {}

    @property
    def load(self) -> int:
        """Branches that are not done."""
        jobs = [*self.waiting, *self.open]
        return sum(len(job.branches) for job in jobs) + len(self.running) + len(self.filling)

    def submit(self, job: Job) -> None:
        heapq.heappush(self.waiting, job)

    # What begins.

    def begin_jobs(self) -> None:
        """Begin jobs in the order of their age, as long as there is use for them and pages are left."""
        while self.waiting and self._room():
            job = self.waiting[0]
            if not job.request.future.done():  # else its waiter has gone
                job.sequence = begin(self.table, job.trunk, self.copies)
                if job.sequence is None:
                    return
                self._reused(job.sequence, 0)
                self.open.append(job)
                if not job.sequence.complete:
                    self.filling.add(TrunkFill(job.sequence, job))
            heapq.heappop(self.waiting)

    def _room(self) -> bool:
        candidates = sum(len(job.branches) for job in self.open if job.branches[0].drawing is not None)
        return self.filling.rows() < self.config.tokens[-1] and (
            candidates == 0 or candidates + len(self.running) < self.config.rows[-1]
        )

    def begin_paths(self) -> None:
        """Begin the paths to be valued whose trunks are there."""
        for job in sorted((job for job in self.open if job.ready), key=lambda job: job.first):
            while job in self.open and job.branches[0].path is not None:
                if job.request.future.done():
                    job.branches.clear()
                elif not self._begin_path(job) and not self._reclaim(job.first):
                    return
                self._close_if_done(job)

    def _begin_path(self, job: Job) -> bool:
        branch = job.branches[0]
        assert branch.path is not None
        assert job.sequence is not None
        # The last token is run even if its keys are known: the value stands at its end.
        sequence = begin(self.table, branch.path, self.copies, base=job.sequence, rerun=1)
        if sequence is None:
            return False
        self._reused(sequence, len(job.trunk))
        job.branches.popleft()
        shared = job.sequence.beginning(self.config.page_size, self.config.block)
        self.filling.add(PathFill(sequence, job, branch, shared))
        return True

    def admit(self) -> None:
        """Give rows to candidates whose trunks are there."""
        for job in sorted((job for job in self.open if job.ready), key=lambda job: job.first):
            while job in self.open and job.branches[0].drawing is not None:
                if job.request.future.done():
                    job.branches.clear()
                elif len(self.running) == self.config.rows[-1] or not self._admit_one(job):
                    return
                self._close_if_done(job)

    def _admit_one(self, job: Job) -> bool:
        """Whether the job's next candidate got its row, or the job had to give up its trunk."""
        assert job.sequence is not None
        pages = fork(self.table, job.sequence, self.copies)
        while pages is None:
            if not self._reclaim(job.first):
                return False
            if job not in self.open:
                return True
            pages = fork(self.table, job.sequence, self.copies)
        self.running.enter(job.branches.popleft(), pages, job.sequence)
        return True

    def _close_if_done(self, job: Job) -> None:
        if job in self.open and not job.branches:
            assert job.sequence is not None
            self.table.release(job.sequence.pages)
            self.open.remove(job)

    def _reused(self, sequence: Sequence, known_before: int) -> None:
        self.metrics.reused += max(0, sequence.filled - known_before)

    # What goes on.

    def secure(self, steps: int) -> None:
        """Pages for the next `steps` tokens of every row, from the oldest to the youngest."""
        self._drop_deserted()
        slots, size, count = self.running.slots, self.config.page_size, len(self.running)
        ahead = (slots.limit[:count] - slots.drawn[:count]).clip(max=steps)
        needed = -(-(slots.position[:count] + ahead) // size)
        short = [row for row in range(count) if needed[row] > len(self.running.sequences[row].pages)]
        wanting = [(self.running.branches[row], int(needed[row])) for row in short]
        for branch, pages in sorted(wanting, key=lambda wanting: wanting[0].order):
            self._secure_row(branch, pages)

    def _secure_row(self, branch: Branch, needed: int) -> None:
        while (row := self.running.row_of(branch)) is not None:
            taken = self.table.take(needed - len(self.running.sequences[row].pages))
            if taken is not None:
                self.running.extend(row, taken)
                return
            if not self._reclaim(branch.order):
                self._preempt_row(row)

    def _drop_deserted(self) -> None:
        """Rows whose waiters have gone."""
        for row in range(len(self.running) - 1, -1, -1):
            if self.running.branches[row].request.future.done():
                self.table.release(self.running.leave(row).pages)

    def retire(self, row: int) -> None:
        """A row is done: what its pages hold is known from now on, and may be given away."""
        self._make_known(self.running.leave(row))

    def _make_known(self, sequence: Sequence) -> None:
        advance(self.table, sequence, len(sequence.tokens))
        self.table.release(sequence.pages)

    # Who gives way.

    def _reclaim(self, order: Order) -> bool:
        """Make the youngest holder that is younger than `order` give its pages away; False if there is none."""
        holders: list[tuple[Order, Callable[[], None]]] = []
        holders += [(job.order, functools.partial(self._preempt_job, job)) for job in self.open]
        holders += [(x.branch.order, functools.partial(self._preempt_path, x)) for x in self.filling.paths()]
        rows = enumerate(self.running.branches)
        holders += [(branch.order, functools.partial(self._preempt_row, row)) for row, branch in rows]
        youngest, give_way = max(holders, key=lambda holder: holder[0], default=(order, lambda: None))
        if youngest <= order:
            return False
        give_way()
        return True

    def _preempt_row(self, row: int) -> None:
        branch = self.running.branches[row]
        sequence = self.running.leave(row)
        self._make_known(sequence)
        self.metrics.recomputed += len(sequence.tokens)
        self.submit(Job(branch.request, sequence.tokens, collections.deque([branch])))

    def _preempt_path(self, path: PathFill) -> None:
        self.filling.drop(path)
        self.table.release(path.sequence.pages)
        self.metrics.recomputed += path.sequence.filled
        self.submit(Job(path.job.request, path.job.trunk, collections.deque([path.branch])))

    def _preempt_job(self, job: Job) -> None:
        assert job.sequence is not None
        self.filling.drop_trunk(job)
        self.table.release(job.sequence.pages)
        self.metrics.recomputed += job.sequence.filled
        self.open.remove(job)
        job.sequence = None
        self.submit(job)
