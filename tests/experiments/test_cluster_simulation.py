"""The simulated cluster: schedules worked out by hand, closed forms, and a second simulation that hurries nowhere."""

from __future__ import annotations

import collections
import importlib
import json
import math
import pathlib
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from rstar_jax.search.store import write_trees
from rstar_jax.search.tree import new_tree

BENCHMARKS = pathlib.Path(__file__).parents[2] / "experiments" / "benchmarks"
BARE = {"rate": 1.0, "saturation": 1, "minutes_to_start": 0.0}
LIVELY = {
    "saturation": 3, "concurrency": 5, "hours_between_losses": 40 / 3600, "minutes_away": 0.3, "minutes_to_start": 0.1,
    "stragglers": 0.3,
}  # fmt: skip


@pytest.fixture(scope="module")
def events() -> Any:
    """The benchmark's own modules lie side by side, and import each other so."""
    sys.path.insert(0, str(BENCHMARKS))
    try:
        yield importlib.import_module("cluster_events")
    finally:
        sys.path.remove(str(BENCHMARKS))


class Scripted:
    """Losses as they are written down; nobody is a straggler."""

    def __init__(self, seconds: list[float]):
        self._seconds = iter(seconds)

    def random(self) -> float:
        return 1.0

    def standard_exponential(self) -> float:
        return next(self._seconds, math.inf) / 3600


def lost_after(events: Any, monkeypatch: pytest.MonkeyPatch, *seconds: float) -> None:
    """Host 0 is lost so long after it has joined, and joined again."""
    scripts = {(0, 0): list(seconds)}
    monkeypatch.setattr(events.np.random, "default_rng", lambda seed: Scripted(scripts.get(seed, [])))


# --- By hand ------------------------------------------------------------------------------------------


def test_two_hosts_share_three_shards(events) -> None:
    """Host 0: 10 and 30 at half a token a second each, the 10 is done at 20, the 30 alone at 40. Host 1: 10 and 20,
    done at 20 and 30; then 2 and 4, at 34 and 36."""
    hosts = events.Hosts(2, concurrency=2, **BARE)
    found = events.simulate([10, 30, 10, 20, 2, 4], hosts, shard_problems=2, shards_per_host=1)
    assert found.hours * 3600 == pytest.approx(40)
    assert found.used == pytest.approx((40 + 36) / 80)


def test_fixed_shares_wait_for_the_slowest(events) -> None:
    """Host 0 has shards 0 and 2: the 10 is done at 20, and the 2 comes in its place, done at 24; then the 4 with what
    is left of the 30, 18 tokens: at 32, and the 30 at 46."""
    hosts = events.Hosts(2, concurrency=2, **BARE)
    found = events.simulate([10, 30, 10, 20, 2, 4], hosts, shard_problems=2, shares=True)
    assert found.hours * 3600 == pytest.approx(46)
    assert found.used == pytest.approx((46 + 30) / 92)


def test_too_few_problems_are_slower(events) -> None:
    hosts = events.Hosts(1, rate=1.0, saturation=4, minutes_to_start=1.0)
    assert events.simulate([10, 10], hosts).hours * 3600 == pytest.approx(60 + 40)  # a quarter each, not a half


@pytest.mark.parametrize("shares", [False, True])
def test_what_is_under_way_is_lost_and_what_is_finished_is_kept(events, monkeypatch, shares: bool) -> None:
    """The 10 is done at 20; the 30 has had 15 at 25. Back at 85, it is done at 115."""
    lost_after(events, monkeypatch, 25.0)
    hosts = events.Hosts(1, concurrency=2, hours_between_losses=1.0, minutes_away=1.0, **BARE)
    found = events.simulate([10, 30], hosts, shard_problems=2, shares=shares)
    assert found.hours * 3600 == pytest.approx(115)
    assert found.lost == pytest.approx(15 / 55)
    assert found.used == pytest.approx(40 / (25 + 30))
    assert (found.losses, found.attempts, found.finished) == (1, 2, b"\1\1")


def test_shards_of_a_lost_host_come_first(events, monkeypatch) -> None:
    """Shard 0 goes to host 1 at 10, which is done with it at 50; host 0 is back at 25. Behind the others it would have
    been begun at 25, and ended at 65."""
    lost_after(events, monkeypatch, 5.0)
    hosts = events.Hosts(2, concurrency=1, hours_between_losses=1.0, minutes_away=1 / 3, **BARE)
    found = events.simulate([40, 10, 10, 10], hosts, shard_problems=1, shards_per_host=1)
    assert found.hours * 3600 == pytest.approx(50)
    assert found.lost == pytest.approx(5 / 75)


def test_an_engine_that_never_starts_loses_nothing(events, monkeypatch) -> None:
    lost_after(events, monkeypatch, 30.0)
    hosts = events.Hosts(1, 1.0, 1, 1, hours_between_losses=1.0, minutes_away=1.0, minutes_to_start=1.0)
    found = events.simulate([10], hosts)
    assert (found.hours * 3600, found.lost, found.attempts) == (pytest.approx(30 + 60 + 60 + 10), 0.0, 2)


# --- Closed forms and invariances ---------------------------------------------------------------------


def tokens(count: int, seed: int = 0) -> list[float]:
    return np.random.default_rng(seed).uniform(1, 20, count).tolist()


def test_one_host_that_is_never_lost_takes_all_tokens_at_its_rate(events) -> None:
    work = tokens(5000)
    hosts = events.Hosts(1, rate=10.0, saturation=8, concurrency=32, minutes_to_start=0.0)
    tail = 8 * 20 / 10 / 3600  # fewer than 8 under way: each has less than 20 tokens left, at 10/8 a second
    best = sum(work) / 10 / 3600
    for shares in (False, True):
        found = events.simulate(work, hosts, shares=shares)
        assert best < found.hours <= best + tail
        assert found.used == pytest.approx(best / found.hours)
        assert (found.lost, found.losses, found.attempts) == (0.0, 0, 1)


@pytest.mark.parametrize("count", [4, 16])
def test_many_hosts_share_the_hours(events, count: int) -> None:
    work = tokens(16 * 2048)
    one = events.simulate(work, events.Hosts(1, 10.0, 8, 32, minutes_to_start=0.0))
    many = events.simulate(work, events.Hosts(count, 10.0, 8, 32, minutes_to_start=0.0))
    assert one.hours / count <= many.hours < 1.15 * one.hours / count
    assert many.lost == 0.0


@pytest.mark.parametrize("shares", [False, True])
def test_every_problem_is_finished_once_and_a_seed_says_all(events, shares: bool) -> None:
    work, hosts = tokens(700), events.Hosts(6, rate=10.0, **LIVELY)
    one, again, other = (
        events.simulate(work, hosts, seed, shares=shares, shard_problems=16) for seed in (3, 3, 4)
    )
    assert one.losses > 3
    assert set(one.finished) == {1}
    assert one == again
    assert one.hours != other.hours
    assert 0 < one.lost < 0.5


def test_time_has_no_unit(events) -> None:
    """A hundred times the tokens at a hundred times the rate."""
    work = tokens(700)
    slow, fast = (
        events.simulate([scale * one for one in work], events.Hosts(6, scale * 10.0, **LIVELY), shard_problems=16)
        for scale in (1, 128)
    )
    assert slow == fast


# --- Against a simulation that looks at every host at every event -------------------------------------


class Plain:
    """The rules once more: tokens left of every problem under way, and a step to whatever happens next anywhere."""

    def __init__(self, work: list[float], hosts: Any, seed: int, shares: bool, size: int, places: int):
        self.work, self.hosts, self.size = work, hosts, size
        self.now, self.lost, self.done = 0.0, 0.0, set()
        numbers = range(-(-len(work) // size))
        shared = collections.deque(numbers)
        self.places = len(numbers) if shares else places
        count = hosts.count if shares else min(hosts.count, len(numbers))
        queues = [collections.deque(numbers[i :: hosts.count]) if shares else shared for i in range(count)]
        self.machines = [{"queue": queue, "dice": np.random.default_rng((seed, i))} for i, queue in enumerate(queues)]
        for machine in self.machines:
            self.join(machine)

    def join(self, m: dict[str, Any]) -> None:
        rate = self.hosts.rate * (0.5 if m["dice"].random() < self.hosts.stragglers else 1.0)
        until = self.now + 3600 * self.hosts.hours_between_losses * m["dice"].standard_exponential()
        m |= {"alive": True, "rate": rate, "ready": self.now + 60 * self.hosts.minutes_to_start, "until": until}
        m |= {"shards": [], "left": {}}

    def fill(self, m: dict[str, Any]) -> None:
        for shard in m["shards"]:
            for problem in range(self.size * shard, min(self.size * (shard + 1), len(self.work))):
                if len(m["left"]) < self.hosts.concurrency and problem not in self.done | m["left"].keys():
                    m["left"][problem] = self.work[problem]

    def hours(self) -> float:
        while len(self.done) < len(self.work):
            for _ in range(self.places):
                for m in self.machines:
                    if m["alive"] and len(m["shards"]) < self.places and m["queue"]:
                        m["shards"].append(m["queue"].popleft())
            self.step()
        return self.now / 3600

    def speed(self, m: dict[str, Any]) -> float:
        return m["rate"] / max(len(m["left"]), self.hosts.saturation)

    def step(self) -> None:
        moments = []
        for m in self.machines:
            moments.append(m["until"])
            if m["alive"]:
                self.fill(m)
                moments.append(m["ready"] if m["ready"] > self.now else math.inf)
                if m["left"] and m["ready"] <= self.now:
                    moments.append(self.now + min(m["left"].values()) / self.speed(m))
        then = min(moments)
        for m in self.machines:
            if m["alive"] and m["ready"] <= self.now:
                m["left"] = {p: left - (then - self.now) * self.speed(m) for p, left in m["left"].items()}
        self.now = then
        for m in self.machines:
            self.look_at(m)

    def look_at(self, m: dict[str, Any]) -> None:
        if m["until"] <= self.now and m["alive"]:
            self.lost += sum(self.work[p] - left for p, left in m["left"].items())
            m["queue"].extendleft(reversed(m["shards"]))
            m |= {"alive": False, "until": self.now + 60 * self.hosts.minutes_away}
        elif m["until"] <= self.now:
            self.join(m)
        elif m["alive"]:
            self.done |= {p for p, left in m["left"].items() if left < 1e-9}
            m["left"] = {p: left for p, left in m["left"].items() if left >= 1e-9}
            m["shards"] = [s for s in m["shards"] if not self.done.issuperset(self.problems(s))]

    def problems(self, shard: int) -> range:
        return range(self.size * shard, min(self.size * (shard + 1), len(self.work)))


@pytest.mark.parametrize("shares", [False, True])
@pytest.mark.parametrize("seed", range(6))
def test_the_same_as_the_plain_simulation(events, seed: int, shares: bool) -> None:
    work, hosts = tokens(150 + seed, seed), events.Hosts(4, rate=10.0, **LIVELY)
    plain = Plain(work, hosts, seed, shares, size=8, places=2)
    found = events.simulate(work, hosts, seed, shares=shares, shard_problems=8, shards_per_host=2)
    assert found.losses > 0
    assert found.hours == pytest.approx(plain.hours(), rel=1e-9)
    assert found.lost == pytest.approx(plain.lost / (plain.lost + sum(work)), rel=1e-6)


# --- The command --------------------------------------------------------------------------------------


def simulation(*options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(BENCHMARKS / "cluster_simulation.py"), *options]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


def test_the_command_says_that_nothing_has_run(tmp_path) -> None:
    ran = simulation("--quick", "--problems", "3000", "--hosts", "1", "4", "--json", str(tmp_path / "figures.json"))
    assert ran.returncode == 0, ran.stderr[-3000:]
    assert ran.stdout.startswith("Nothing has run")
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert all(isinstance(value, int | float) for value in figures.values())
    assert figures["1_best_hours"] == pytest.approx(3000 * 13_000 / 4000 / 3600)
    assert figures["1_best_hours"] < figures["1_queue_hours"]
    assert figures["4_queue_hours"] < figures["1_queue_hours"]


def test_tokens_are_read_from_shard_files(events, fakes, tmp_path) -> None:
    script = importlib.import_module("cluster_simulation")
    for number, counts in enumerate([[(5,), (1, 2)], [(10,)]]):
        trees = []
        for place, own in enumerate(counts):
            for index, count in enumerate(own):
                trees.append(new_tree(fakes.problems(2)[place], fakes.MANY, index=index))
                trees[-1].tokens = count
        write_trees(tmp_path / f"shard-{number:05d}.parquet", trees)
    assert sorted(script.tokens_of(tmp_path)) == [3, 5, 10]
    assert script.work_of(script.Options(trees=tmp_path)).mean() == pytest.approx(6)
    assert script.work_of(script.Options(trees=tmp_path, mean_tokens=60)).max() == pytest.approx(100)


def test_a_mistake_is_one_sentence(tmp_path) -> None:
    for options, words in ((("--trees", str(tmp_path)), "no shard files there"), (("--seeds", "0"), "at least 1")):
        ran = simulation(*options)
        assert (ran.returncode, ran.stderr.count("\n")) == (2, 1), ran.stderr
        assert words in ran.stderr
