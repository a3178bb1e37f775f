"""Hosts that search shards, come and go: a simulation by events, with the rules of `rstar_jax.search`.

Those of `search/cluster.py`: one queue of shards, up to `shards_per_host` at a host, one to each host in turn, and the
shards of a lost host go to the front. With `shares` every host has a queue of its own instead, as under `run_stage.py
--shard i/n`. In both a host searches as `search/runner.py` does: it has up to `concurrency` problems under way, and a
shard begins none before those in front of it on that host have begun all of theirs. Finished problems of a lost shard
are kept, since all hosts see the run directory; what was under way is lost.

A host shares its tokens a second equally among the problems under way. So all of them have been served alike since they
began, and one number, the service of a problem that was there from the start, tells who is finished next.
"""

from __future__ import annotations

import collections
import dataclasses
import heapq
import itertools
import math
import sys
from collections.abc import Sequence

import numpy as np

from rstar_jax.search import cluster
from rstar_jax.search.shards import SHARD_PROBLEMS


@dataclasses.dataclass(frozen=True)
class Hosts:
    """Attributes:
      count: of hosts.
      rate: tokens a second of one with enough problems under way.
      saturation: problems under way that are enough; with fewer the rate is proportionally less.
      concurrency: problems under way at most.
      hours_between_losses: of one host, on average; losses are as likely at any moment.
      minutes_away: from the loss of a host until another one has joined in its place.
      minutes_to_start: from then until its engine takes problems; it has its shards before.
      stragglers: share of hosts that have half the rate.
    """

    count: int
    rate: float
    saturation: int = 64
    concurrency: int = 256
    hours_between_losses: float = math.inf
    minutes_away: float = 20.0
    minutes_to_start: float = 5.0
    stragglers: float = 0.0


@dataclasses.dataclass(frozen=True)
class Outcome:
    """Attributes:
      hours: until the last problem was finished.
      used: share of the time of all hosts that were there which went into trees that were kept.
      lost: share of the generated tokens that were lost.
      losses: of hosts.
      attempts: at the shard that took the most.
      finished: how often each problem was finished.
    """

    hours: float
    used: float
    lost: float
    losses: int
    attempts: int
    finished: bytes


def simulate(
    tokens: Sequence[float],
    hosts: Hosts,
    seed: int = 0,
    *,
    shares: bool = False,
    shard_problems: int = SHARD_PROBLEMS,
    shards_per_host: int | None = None,
) -> Outcome:
    """Search problems that take so many tokens each. shares: every host has its own shards, and no others.

    seed: of losses and stragglers, which are the same with shares and without.
    """
    work = _Work([float(one) for one in tokens], shard_problems)
    everything = range(len(work.left))
    if shares:
        queues = [collections.deque(everything[index :: hosts.count]) for index in range(hosts.count)]
    else:
        queues = [collections.deque(everything)] * min(hosts.count, len(everything))
    most = shards_per_host or cluster.shards_per_host(hosts.concurrency, shard_problems)
    places = len(everything) if shares else most
    members = [_Host(hosts, work, queue, places, (seed, index)) for index, queue in enumerate(queues)]
    return _Cluster(members, work, one_queue=not shares).to_the_end()


class _Work:
    """The problems: what they take, and how far they are. left: of each shard, those that are not finished."""

    def __init__(self, tokens: list[float], shard_problems: int):
        self.tokens, self.shard_problems = tokens, shard_problems
        self.finished = bytearray(len(tokens))
        starts = range(0, len(tokens), shard_problems)
        self.left = [min(shard_problems, len(tokens) - start) for start in starts]
        self.attempts = [0] * len(self.left)
        self.lost = 0.0  # tokens

    def missing(self, shard: int) -> list[int]:
        start = shard * self.shard_problems
        stop = min(start + self.shard_problems, len(self.tokens))
        return [problem for problem in range(start, stop) if not self.finished[problem]]


class _Host:
    """A place in the cluster, where one machine follows another. plan: the number of the last one made for it."""

    def __init__(self, hosts: Hosts, work: _Work, queue: collections.deque[int], places: int, seed: tuple[int, int]):
        self._hosts, self._work = hosts, work
        self.queue, self._places = queue, places
        self._random = np.random.default_rng(seed)
        self.there = self.useful = 0.0  # seconds of the machines that have gone; of all, for trees that were kept
        self.losses, self.plan = 0, -1
        self._join(0.0)

    def _join(self, now: float) -> None:
        """A machine comes, with nothing.

        since, until: it is there. _served: tokens that a problem would have by now which is there from the start.
        _under_way: (what `_served` will be when it is finished, problem), the next one first.
        """
        hosts = self._hosts
        self._rate = hosts.rate * (0.5 if self._random.random() < hosts.stragglers else 1.0)
        self._per_token = [max(n, hosts.saturation) / self._rate for n in range(hosts.concurrency + 1)]  # seconds
        self.since, self.until = now, now + 3600 * hosts.hours_between_losses * self._random.standard_exponential()
        self._now, self._served = now + 60 * hosts.minutes_to_start, 0.0
        self._under_way: list[tuple[float, int]] = []
        self._to_begin: collections.deque[int] = collections.deque()
        self._shards: list[int] = []
        self._ended: int | None = None  # the shard to whose end it has run ahead
        self.alive = True

    @property
    def has_place(self) -> bool:
        return self.alive and len(self._shards) < self._places

    def give(self, shard: int, now: float) -> None:
        self._serve(now)
        self._shards.append(shard)
        self._work.attempts[shard] += 1
        self._to_begin.extend(self._work.missing(shard))
        while self._to_begin and len(self._under_way) < self._hosts.concurrency:
            problem = self._to_begin.popleft()
            heapq.heappush(self._under_way, (self._served + self._work.tokens[problem], problem))

    def next_event(self, ahead: bool) -> float:
        """When a problem is finished, or a machine goes or comes; `ahead` over problems, to the end of a shard."""
        if not self.alive:
            return self.until + 60 * self._hosts.minutes_away
        if not ahead:
            return min(self._next_finish(), self.until)
        self._ended = self._run()
        return self.until if self._ended is None else self._now

    def happen(self) -> bool:
        """That event; whether a shard ended with it."""
        if not self.alive:
            self._join(self.until + 60 * self._hosts.minutes_away)
        elif self._ended is None and self._next_finish() >= self.until:
            self._lose()
        else:
            ended, self._ended = self._run(1) if self._ended is None else self._ended, None
            if ended is not None:
                self._shards.remove(ended)
            return ended is not None
        return False

    def _next_finish(self) -> float:
        if not self._under_way:
            return math.inf
        return self._now + (self._under_way[0][0] - self._served) * self._per_token[len(self._under_way)]

    def _run(self, problems: int = sys.maxsize) -> int | None:
        """Finish so many problems, or those up to the end of a shard or of the machine. The shard, if one ended."""
        work, under_way, to_begin = self._work, self._under_way, self._to_begin
        tokens, left, per_token = work.tokens, work.left, self._per_token
        now, served, kept, ended = self._now, self._served, 0.0, None
        while under_way and problems and ended is None:
            at, problem = under_way[0]
            then = now + (at - served) * per_token[len(under_way)]
            if then >= self.until:
                break
            now, served = then, at
            if to_begin:
                following = to_begin.popleft()
                heapq.heapreplace(under_way, (served + tokens[following], following))
            else:
                heapq.heappop(under_way)
            work.finished[problem] += 1
            kept += tokens[problem]
            problems -= 1
            shard = problem // work.shard_problems
            left[shard] -= 1
            if not left[shard]:
                ended = shard
        self._now, self._served = now, served
        self.useful += kept / self._rate
        return ended

    def _lose(self) -> None:
        """The machine goes: its shards to the front of the queue, in their order."""
        self._serve(self.until)
        tokens = self._work.tokens
        self._work.lost += sum(tokens[problem] - (at - self._served) for at, problem in self._under_way)
        self.queue.extendleft(reversed(self._shards))
        self.there += self.until - self.since
        self.losses += 1
        self.alive = False

    def _serve(self, now: float) -> None:
        """Up to a moment before which nothing is finished; until its engine has started, nobody is served."""
        if now > self._now:
            if self._under_way:
                self._served += (now - self._now) / self._per_token[len(self._under_way)]
            self._now = now


class _Cluster:
    """Who does what next. A host that would take no further shard runs ahead to the end of one; the others go problem
    by problem, as a shard may come back from a lost host at any moment."""

    def __init__(self, members: list[_Host], work: _Work, one_queue: bool):
        self._members, self._work, self._one_queue = members, work, one_queue
        self._left = len(work.left)
        self._events: list[tuple[float, int, _Host]] = []  # when, number of the plan, whose
        self._numbers = itertools.count()

    def to_the_end(self) -> Outcome:
        now = 0.0
        self._go_on(now, self._members, self._members)
        while self._left:
            now, number, member = heapq.heappop(self._events)
            if number == member.plan:
                self._left -= member.happen()
                self._go_on(now, [member], self._members if self._one_queue else [member])
        return self._outcome(now)

    def _go_on(self, now: float, changed: Sequence[_Host], may_take: Sequence[_Host]) -> None:
        """Hand out shards, one to each host in turn, and plan anew where something is different."""
        given: list[_Host] = []
        while takers := [member for member in may_take if member.queue and member.has_place]:
            for member in takers:
                if member.queue:
                    member.give(member.queue.popleft(), now)
                    given.append(member)
        for member in {id(one): one for one in (*changed, *given)}.values():
            member.plan = next(self._numbers)
            ahead = not (self._one_queue and member.has_place)
            heapq.heappush(self._events, (member.next_event(ahead), member.plan, member))

    def _outcome(self, now: float) -> Outcome:
        there = sum(member.there + (now - member.since if member.alive else 0.0) for member in self._members)
        return Outcome(
            hours=now / 3600,
            used=sum(member.useful for member in self._members) / there,
            lost=self._work.lost / (self._work.lost + sum(self._work.tokens)),
            losses=sum(member.losses for member in self._members),
            attempts=max(self._work.attempts),
            finished=bytes(self._work.finished),
        )
