"""A search on a Ray cluster: actors that hold an engine each, and shards of problems handed to whoever is free.

An actor has two shards or more, so that its engine stays busy while the last problems of one are finished. It may die,
with its host or alone, or hang: then its shards go back into the queue and it is started anew. What the shards have in
their folder by then is kept, if the folder is one that all hosts see, as it has to be. Trees depend on nothing that a
cluster decides, so they are those of a single machine.

Ray is an extra of the package. Only this file and `members` know it.
"""

from __future__ import annotations

import collections
import dataclasses
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rstar_jax.errors import InputError
from rstar_jax.search import shards, store
from rstar_jax.search.budget import NO_LIMIT, Budget, Spent
from rstar_jax.search.members import HostTrouble, Member, OpenGrow, first_line, import_ray
from rstar_jax.search.progress import Progress, make_progress, say
from rstar_jax.search.shards import Shard, Survey

_SECONDS_BETWEEN_LOOKS = 1.0
_SECONDS_OF_SILENCE = 60.0  # of all hosts, before somebody is told


@dataclasses.dataclass(frozen=True)
class ClusterConfig:
    """How a search uses a Ray cluster.

    Attributes:
      hosts: actors. Those that find no place yet wait until the cluster grows.
      resources: what each asks Ray for, such as {"CPU": 4} or {"TPU": 4}; actors with as much as a host has get one
        host each.
      attempts: of a shard, before the search gives it up; the others are finished first.
      stall_seconds: with shards but without an answer or a finished problem, after which an actor is taken for hung. It
        has to be longer than an engine takes to start and than any problem.
      rest_seconds: before a host where something failed gets work again; twice as long after each further failure.
      concurrency: problems that an actor has under way at a time.
    """

    hosts: int
    resources: Mapping[str, float]
    attempts: int = 5
    stall_seconds: float = 3600.0
    rest_seconds: float = 10.0
    concurrency: int = 64

    def __post_init__(self) -> None:
        if self.hosts < 1 or self.attempts < 1 or self.concurrency < 1 or self.stall_seconds <= 0:
            raise InputError("a cluster needs at least one host, one attempt, one problem at a time and some patience")


def shards_per_host(concurrency: int, shard_problems: int) -> int:
    """At least two, so that one begins while the last problems of another are finished; more if shards are small."""
    return max(2, -(-concurrency // shard_problems) + 1)


class Trouble(Exception):
    """Something failed on a host; it is made good by another attempt, or a shard is given up."""


def search(
    survey: Survey,
    open_grow: OpenGrow,
    config: ClusterConfig,
    *,
    label: str = "search",
    budget: Budget = NO_LIMIT,
    trouble: Callable[[Trouble], None] = lambda what: say(str(what)),
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Search what is missing of a search's shards on the cluster that `ray.init` has joined.

    budget: tokens are counted when a shard is finished; no problem is begun after that. trouble: told of what failed
    and is tried again.

    Raises:
      InputError: Ray is not installed.
      RuntimeError: shards were given up; it names the first and its last error. The others are finished, unless all
        hosts fail all the time.
    """
    if not survey.missing:
        return
    progress = make_progress(survey.n_problems, survey.done.problems, label)
    spent = Spent(survey.missing[0].folder, "cluster", budget, tokens=survey.done.tokens, clock=clock)
    work = _Search(survey.missing, open_grow, config, spent, progress, trouble, clock)
    try:
        work.to_the_end()
    finally:
        progress.close()
        spent.write()
        work.close()


@dataclasses.dataclass(frozen=True)
class _Flight:
    """A shard that a member has."""

    member: Member
    shard: Shard
    attempt: int


class _Search:
    """A search in progress: the queue, and who has which shard."""

    def __init__(
        self,
        missing: Sequence[Shard],
        open_grow: OpenGrow,
        config: ClusterConfig,
        spent: Spent,
        progress: Progress,
        trouble: Callable[[Trouble], None],
        clock: Callable[[], float],
    ):
        self._ray, self._config, self._clock = import_ray(), config, clock
        self._spent, self._progress, self._trouble = spent, progress, trouble
        self._queue = collections.deque((shard, 1) for shard in missing)
        self._flights: dict[Any, _Flight] = {}
        self._stopping = False
        self._given_up: list[Trouble] = []
        self._in_vain = 0  # failures since a problem was finished
        self._heard = clock()  # when any host answered
        self._places = shards_per_host(config.concurrency, max(len(shard.problems) for shard in missing))
        count = min(config.hosts, len(missing))
        arguments = (open_grow, config.concurrency, config.resources, config.rest_seconds, clock)
        self._members = [Member(*arguments) for _ in range(count)]

    def to_the_end(self) -> None:
        while self._queue or self._flights:
            self._stop_if_spent()
            self._hand_out()
            if self._flights:
                for flight in self._ray.wait(list(self._flights), timeout=_SECONDS_BETWEEN_LOOKS)[0]:
                    self._land(flight)
            else:
                time.sleep(_SECONDS_BETWEEN_LOOKS / 10)
            for member in self._members:
                self._look_after(member)
            self._complain_of_silence()
        if self._given_up:
            raise RuntimeError(f"{len(self._given_up)} shards were given up; the first: {self._given_up[0]}")

    def close(self) -> None:
        for member in self._members:
            member.close()

    def _stop_if_spent(self) -> None:
        if self._stopping or not self._spent.is_spent():
            return
        self._stopping = True
        for member in self._members:
            member.stop()
        for shard, _ in self._queue:
            shards.commit(shard)  # with what it has, most likely nothing
        self._queue.clear()

    def _hand_out(self) -> None:
        for _ in range(self._places):
            for member in self._members:
                has = len(self._of(member))
                if self._queue and member.is_ready and has < self._places:
                    shard, attempt = self._queue.popleft()
                    if not has:
                        member.since = self._clock()
                    self._flights[member.search(shard)] = _Flight(member, shard, attempt)

    def _of(self, member: Member) -> list[Any]:
        return [reference for reference, flight in self._flights.items() if flight.member is member]

    def _land(self, reference: Any) -> None:
        """A shard is finished, or has failed."""
        if (flight := self._flights.pop(reference, None)) is None:
            return  # given back meanwhile
        errors = self._ray.exceptions
        try:
            self._ray.get(reference)
        except errors.RayTaskError as error:
            self._failed(flight, error.cause or error)
        except errors.RayError as error:
            flight.member.answers = False
            self._again(flight, f"its host was lost ({first_line(error)})", front=True)
        else:
            self._in_vain = 0
            flight.member.succeeded()
            found = store.read_summary(flight.shard.file)
            self._spent.add(found.tokens)
            solved = sum(solved for _, solved in found.levels.values())
            self._progress.advance(solved, found.tokens, found.problems)

    def _failed(self, flight: _Flight, error: BaseException) -> None:
        """A host that cannot begin is no fault of its shard; and what else it has is given back if it is replaced."""
        if isinstance(error, HostTrouble):
            self._tell(Trouble(f"a host cannot begin: {error}"))
            self._queue.appendleft((flight.shard, flight.attempt))
        else:
            self._again(flight, first_line(error))
        self._replaced(flight.member, lambda: flight.member.failed(broken=isinstance(error, HostTrouble)))

    def _replaced(self, member: Member, act: Callable[[], None]) -> None:
        """Let a member be replaced, if it comes to that; its shards go back at no cost of attempts."""
        actor = member.actor
        act()
        for reference in self._of(member) if member.actor is not actor else ():
            flight = self._flights.pop(reference)
            self._queue.appendleft((flight.shard, flight.attempt))

    def _again(self, flight: _Flight, why: str, front: bool = False) -> None:
        """Another attempt at a shard, after all that wait, or before them if it is not to blame."""
        trouble = Trouble(f"shard {flight.shard.number}, attempt {flight.attempt} of {self._config.attempts}: {why}")
        self._tell(trouble)
        if flight.attempt == self._config.attempts:
            self._given_up.append(trouble)
        elif self._stopping:
            shards.commit(flight.shard)
        else:
            (self._queue.appendleft if front else self._queue.append)((flight.shard, flight.attempt + 1))

    def _tell(self, trouble: Trouble) -> None:
        self._trouble(trouble)
        self._in_vain += 1
        if self._in_vain >= self._config.attempts * len(self._members):
            raise RuntimeError(f"no problem gets finished; the last trouble was {trouble}")

    def _look_after(self, member: Member) -> None:
        """Hear how far it is; who does not get on for too long is replaced."""
        try:
            if member.listen(_SECONDS_BETWEEN_LOOKS):
                self._in_vain = 0
        except self._ray.exceptions.ActorUnavailableError:
            pass  # Ray starts it anew
        except self._ray.exceptions.RayError as error:
            self._tell(Trouble(f"a host cannot begin: {first_line(error)}"))
            self._replaced(member, lambda: member.failed(broken=True))
        if member.answers:
            self._heard = self._clock()
        mine = self._of(member)
        if mine and self._clock() - member.since > self._config.stall_seconds:
            flights = [self._flights.pop(reference) for reference in mine]
            member.replace()  # before another gets its shards
            for flight in flights:
                self._again(flight, f"no problem finished within {self._config.stall_seconds:g} s", front=True)

    def _complain_of_silence(self) -> None:
        if self._clock() - self._heard > _SECONDS_OF_SILENCE:
            self._heard = self._clock()
            wanted, there = dict(self._config.resources), self._ray.cluster_resources()
            say(f"no host has answered for {_SECONDS_OF_SILENCE:g} s; each asks for {wanted}, the cluster has {there}")
