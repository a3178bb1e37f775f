"""The trusted half: keeps paused nodes, forks them, keeps the forks to their limits, answers for those that die.

One expansion: the node of the history is found among the snapshots, or its history is replayed in a fork of the
nearest ancestor that lives (the clean process of a tier at worst). For each snippet that node is forked; the
fork runs the snippet and is kept, paused, as the node of the longer history. A result depends on history and
snippet only: what was found changes nothing but the time.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

from . import memory, strays, tiers, wire
from .formatters import MAX_OUTPUT_CHARS
from .node import SETTLE, Job, Settings
from .processes import Limits, NoRoom, Process, Processes
from .snapshots import Key, Snapshots

MAX_STATE_CHARS = 64
LOAD_LIMITS = Limits(60.0, 120.0)  # importing the scientific libraries on a cold, busy disk


@dataclasses.dataclass(frozen=True)
class Report:
    """What became of one snippet. `killed` is "", "cpu", "wall" or "crash". Times are the snippet's own."""

    outcome: str  # "ok", "error" or "timeout"
    output: str
    killed: str = ""
    cpu_seconds: float = 0.0
    wall_seconds: float = 0.0
    restarted: bool = False
    state: str = ""


@dataclasses.dataclass
class Totals:
    """What one expansion has cost and found, for the metrics."""

    hits: int = 0  # histories whose node was there, and snippets whose result was
    misses: int = 0
    replayed_steps: int = 0
    replay_cpu_seconds: float = 0.0
    evictions: int = 0
    forks_refused: int = 0
    snapshots: int = 0
    snapshot_bytes: int = 0


@dataclasses.dataclass
class Snapshot:
    """What is known of a history: its paused node; or how it ended; or neither, if forks would share something."""

    process: Process | None = None
    fate: Report | None = None
    report: Report | None = None  # of its last step
    settled: bool = True  # whether all that its children build on has been run
    size: int = 0  # bytes


class Supervisor:
    """Expands histories, one after another."""

    def __init__(self, settings: Settings, processes: Processes, first: Process) -> None:
        self._settings = settings
        self._processes = processes
        self._clean = {"standard": first}
        self._snapshots: Snapshots[Snapshot] = Snapshots(settings.snapshots, settings.snapshot_bytes)
        self._sizes = memory.Estimator()
        self.totals = Totals()

    def expand(self, tier: str, history: tuple[str, ...], snippets: Sequence[str]) -> Iterator[Report]:
        """A report per snippet, in order, each as soon as it is known."""
        self.totals = Totals()
        refused = self._refused()
        key = (tier, history)
        fate = self._prepare(key) if history else None
        for snippet in snippets:
            yield self._known((tier, (*history, snippet))) or self._step(key, snippet, fate)
        self._rest(key)
        self._drop(self._snapshots.evict())
        self._processes.reap()
        self.totals.forks_refused = self._refused() - refused
        self.totals.snapshots, self.totals.snapshot_bytes = len(self._snapshots), self._snapshots.bytes

    def _rest(self, key: Key) -> None:
        """Stop the node that was expanded, or let it go if it is too large to wait."""
        snapshot = self._snapshots.get(key)
        if snapshot is None or snapshot.process is None:
            return
        if snapshot.size > self._settings.snapshot_bytes // 8:
            self._forget(key)
        else:
            snapshot.process.stop()

    def _known(self, key: Key) -> Report | None:
        """The report of a step whose node is still there."""
        snapshot = self._snapshots.get(key)
        if snapshot is None or snapshot.report is None:
            return None
        self.totals.hits += 1
        return dataclasses.replace(snapshot.report, cpu_seconds=0.0, wall_seconds=0.0)

    def _prepare(self, key: Key) -> Report | None:
        """See to it that the history has a snapshot; how it ended if it brought its node down."""
        snapshot = self._snapshots.get(key)
        if snapshot is not None and (snapshot.settled or self._settle(key, snapshot)):
            self.totals.hits += 1
            return snapshot.fate
        self.totals.misses += 1
        return self._replay(key)

    def _settle(self, key: Key, snapshot: Snapshot) -> bool:
        """Let a node run what its children build on; False when it cannot, and must be replayed."""
        process = snapshot.process
        assert process is not None
        process.go_on()
        try:
            wire.send_command(process.sock, SETTLE)
        except (TimeoutError, ConnectionError):
            message = {}
        else:
            message, _ = self._processes.wait(process, self._limits(len(key[1])))
        if message.get("ready") is True and message.get("shareable") is True:
            snapshot.settled = True
            return True
        self._forget(key)
        return False

    def _replay(self, key: Key) -> Report | None:
        """Make the node of a history in a fork of the nearest ancestor that can be."""
        _, history = key
        for base in self._bases(key):
            add = history[len(base[1]) :]
            node = self._fork(base)
            if node is None:
                continue
            self.totals.replayed_steps += len(add)
            message, trouble = self._processes.ask(node, Job(add).as_message(), self._limits(len(history)))
            self.totals.replay_cpu_seconds += node.cpu_seconds()
            if message.get("ready") is True:
                self._keep(key, node, None, message, pinned=())
                return None
            if base[1] and trouble in ("", "crash"):  # it must begin earlier, or the base was broken
                self._processes.end(node)
                continue
            fate = self._obituary(node, trouble or "crash", len(history))
            self._drop([old] if (old := self._snapshots.put(key, Snapshot(fate=fate), 0)) else [])
            return fate
        raise AssertionError("the clean process is always there")

    def _step(self, key: Key, snippet: str, fate: Report | None) -> Report:
        """Run a snippet in a fork of its history's node, or after a replay where that is not to be had."""
        tier, history = key
        restarted = False
        for base in self._bases(key):
            add = history[len(base[1]) :]
            node = self._fork(base, pinned=(key,))
            if node is None:
                continue
            self.totals.replayed_steps += len(add)
            steps = len(history) + 1 if add or restarted else 1
            job = Job(add, snippet, doomed=fate is not None)
            message, trouble = self._processes.ask(node, job.as_message(), self._limits(steps))
            if message.get("inherit") is True and fate is not None:
                self._processes.end(node)
                return Report(fate.outcome, fate.output)
            report = self._verdict(node, message)
            if report is not None:
                report = dataclasses.replace(report, restarted=restarted)
                self._keep((tier, (*history, snippet)), node, report, message, pinned=(key,))
                return report
            if base[1] and trouble in ("", "crash"):
                restarted |= message.get("restart") is True
                self._processes.end(node)
                continue
            return self._obituary(node, trouble or "crash", steps)
        raise AssertionError("the clean process is always there")

    def _bases(self, key: Key) -> Iterator[Key]:
        """What a node can be forked from, nearest first; the last, the tier's clean process, always works."""
        for ancestor in list(self._snapshots.ancestors(key)):
            snapshot = self._snapshots.get(ancestor)
            if snapshot is not None and snapshot.process is not None and snapshot.settled:
                yield ancestor
        yield key[0], ()

    def _fork(self, base: Key, pinned: tuple[Key, ...] = ()) -> Process | None:
        """A fork of a snapshot's node; None, and the snapshot forgotten, when it does not obey."""
        process = self._base_process(base)
        try:
            node = self._processes.fork(process)
        except NoRoom:
            self._drop(self._snapshots.evict((base, *pinned), count=len(self._snapshots) // 2))
            self._processes.reap(block=True)
            node = self._processes.fork(process)
        if node is None:
            if not base[1]:
                raise RuntimeError(f"the clean process of tier {base[0]} does not fork")
            self._forget(base)
            strays.end_all(self._processes.known())  # it may have forked and lied about it
        return node

    def _base_process(self, base: Key) -> Process:
        tier, steps = base
        if not steps:
            return self._clean.get(tier) or self._load(tier)
        snapshot = self._snapshots.get(base)
        assert snapshot is not None
        assert snapshot.process is not None
        return snapshot.process

    def _load(self, tier: str) -> Process:
        """Start the clean process of a tier: a fork of the one below, which then imports the rest."""
        below = tiers.BELOW[tier]
        process = self._processes.fork(self._clean.get(below) or self._load(below))
        if process is not None:
            message, _ = self._processes.ask(process, Job(tier=tier).as_message(), LOAD_LIMITS)
            if message.get("ready") is True:
                self._clean[tier] = process
                return process
        raise RuntimeError(f"tier {tier} cannot be loaded")

    def _verdict(self, node: Process, message: dict[str, Any]) -> Report | None:
        """The report of a node that has answered as it should."""
        ok, output = message.get("ok"), message.get("output")
        if not isinstance(ok, bool) or not isinstance(output, str) or len(output) > MAX_OUTPUT_CHARS:
            return None
        state = message.get("state")
        if not isinstance(state, str) or len(state) > MAX_STATE_CHARS:
            return None
        return Report("ok" if ok else "error", output, "", node.cpu_seconds(), node.age(), state=state)

    def _obituary(self, node: Process, trouble: str, steps: int) -> Report:
        """End a node that has not; its report."""
        cpu, wall = node.cpu_seconds(), node.age()
        self._processes.end(node)
        if trouble == "crash":
            return Report("error", "ProcessError: the interpreter died", trouble, cpu, wall)
        settings = self._settings
        limit = f"{settings.cpu_seconds:g} CPU" if trouble == "cpu" else f"{settings.wall_seconds:g}"
        return Report("timeout", f"TimeoutError: a step took more than {limit} seconds", trouble, cpu, wall)

    def _keep(
        self, key: Key, node: Process, report: Report | None, message: dict[str, Any], pinned: tuple[Key, ...]
    ) -> None:
        """Make a node that waits the snapshot of its history, if forks of it would share nothing."""
        size = self._sizes.bytes(node.pid, self._clean[key[0]].pid)
        a_leaf = report is not None
        fits = self._settings.snapshots > 0 and size <= self._settings.snapshot_bytes // 8
        if message.get("shareable") is not True or (a_leaf and not fits):
            self._processes.end(node)
            snapshot = Snapshot(report=report)
        else:
            snapshot = Snapshot(node, None, report, not a_leaf or message.get("settled") is True, size)
            if a_leaf:
                node.stop()
        old = self._snapshots.put(key, snapshot, snapshot.size)
        self._drop([old] if old is not None else [])
        self._drop(self._snapshots.evict((key, *pinned)))

    def _forget(self, key: Key) -> None:
        snapshot = self._snapshots.pop(key)
        self._drop([snapshot] if snapshot is not None else [])

    def _drop(self, snapshots: Sequence[Snapshot]) -> None:
        for snapshot in snapshots:
            if snapshot.process is not None:
                self._processes.end(snapshot.process)
                self.totals.evictions += 1

    def _limits(self, steps: int) -> Limits:
        return Limits(self._settings.cpu_seconds * steps, self._settings.wall_seconds * steps)

    def _refused(self) -> int:
        guard = self._processes.guard
        return guard.refused if guard is not None else 0
