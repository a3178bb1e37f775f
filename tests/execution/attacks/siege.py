"""A process of its own that lets attacks loose on an executor and says what went wrong.

    python -m tests.execution.attacks.siege \\
        '{"kinds": ["reads"], "share": [0, 1], "thorough": false, "options": {}}'

Share [k, n] is every n-th attack from the k-th on; a thorough siege also puts endless attacks into histories. Prints
JSON: complaints by "kind: name", under "afterwards" those that no single attack can be blamed for. It runs alone so
that its descendants are the executor's, and so that it can be started as another user.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import Sequence

from rstar_jax.execution import ExecutorConfig, ExecutorPool
from rstar_jax.execution.cell import system
from rstar_jax.search.protocols import Execution
from tests.execution import family

from .corpus import ATTACKS, PRELUDE, Attack
from .surroundings import TOKEN_VARIABLE, Surroundings

HISTORY = (PRELUDE, "value += 1\n")
CHECK = """
import json, math, os, random, sys
from fractions import Fraction
print({}, round(math.pi, 2), len([1, 2]), isinstance(3, int), json.loads("[3]"), Fraction(1, 3) + 1, random.random())
print(sys.gettrace(), sys.getrecursionlimit(), os.path.join("a", "b"), 1 + 2, sys.getswitchinterval())
"""
ROOT_PROBE, PROBE = CHECK.format("'value' in globals()"), CHECK.format("value")
SNIPPET_SECONDS, HISTORY_SECONDS = 12.0, 20.0  # limits of siege's configuration, and time for a busy machine
FORBIDDEN = ("ESCAPED", "root:x:0")


class Siege:
    """Attacks against one pool. `complaints` grows as they are seen to have done harm."""

    def __init__(self, pool: ExecutorPool, surroundings: Surroundings) -> None:
        self._pool = pool
        self._surroundings = surroundings
        self._right: dict[str, Execution] = {}
        self.complaints: dict[str, list[str]] = {}

    async def prepare(self) -> None:
        """Note what the probes print before any attack."""
        (root,), (later,) = await self._pool.expand((), [ROOT_PROBE]), await self._pool.expand(HISTORY, [PROBE])
        if not (root.output.startswith("False 3.14") and later.output.startswith("21 3.14")):
            raise AssertionError((root, later))
        self._right = {"root": root, "sibling": later}

    async def run(self, attack: Attack, number: int, as_history: bool) -> None:
        """One attack as a snippet and, if asked, as the history of others; then all the looks from outside."""
        code = self._surroundings.arm(attack.code, number)
        result, sibling = await self._expand(attack, HISTORY, [code, PROBE], SNIPPET_SECONDS)
        self._check(attack, result)
        if attack.outcome and result.outcome != attack.outcome:
            self._complain(attack, f"outcome {result.outcome}, not {attack.outcome}: {result.output[:200]}")
        self._check_right(attack, "sibling", sibling)
        if as_history:
            for heir in await self._expand(attack, (*HISTORY, code), [PROBE, "print(value)"], HISTORY_SECONDS):
                self._check(attack, heir)
        self._check_right(attack, "root", *await self._expand(attack, (), [ROOT_PROBE], SNIPPET_SECONDS))
        self._check_right(attack, "sibling", *await self._expand(attack, HISTORY, [PROBE], SNIPPET_SECONDS))
        self._look_around(attack, number)

    async def _expand(
        self, attack: Attack, history: tuple[str, ...], snippets: Sequence[str], seconds: float
    ) -> list[Execution]:
        started = time.monotonic()
        results = await self._pool.expand(history, snippets)
        taken = time.monotonic() - started
        if taken > seconds:
            self._complain(attack, f"late: {taken:.1f} s")
        return results

    def _check(self, attack: Attack, result: Execution) -> None:
        seen = [word for word in (*FORBIDDEN, self._surroundings.token) if word in result.output]
        if seen:
            self._complain(attack, f"output has {seen}: {result.output[:300]}")
        if result.outcome == "refused":
            self._complain(attack, f"brought its cell down: {result.output[:200]}")

    def _check_right(self, attack: Attack, which: str, result: Execution) -> None:
        if result != self._right[which]:
            self._complain(attack, f"{which} is wrong: {result}")

    def _look_around(self, attack: Attack, number: int) -> None:
        for name in self._surroundings.heard():
            self._complain(attack, f"(or one beside it) reached the {name} socket")
        for change in self._surroundings.changes(number):
            self._complain(attack, f"changed files: {change}")
        marker = self._surroundings.marker(number)
        for name in family.settle(lambda: family.marked(marker), 1.0):
            self._complain(attack, f"left a process: {name}")

    def _complain(self, attack: Attack, text: str) -> None:
        self.complaints.setdefault(f"{attack.kind}: {attack.name}", []).append(text)


async def besiege(order: dict, surroundings: Surroundings) -> dict[str, list[str]]:
    """All the attacks of an order, in as many lanes as the pool has cells."""
    config = ExecutorConfig(cells=4, cpu_seconds=0.5, wall_seconds=1.2, memory_mb=256, **_frozen(order["options"]))
    first, stride = order["share"]
    attacks = [attack for kind in order["kinds"] for attack in ATTACKS[kind]]
    waiting = list(enumerate(attacks))[first::stride][::-1]
    async with ExecutorPool(config) as pool:
        siege = Siege(pool, surroundings)
        await siege.prepare()

        async def lane() -> None:
            while waiting:
                number, attack = waiting.pop()
                await siege.run(attack, number, not attack.endless or order["thorough"])

        await asyncio.gather(*[lane() for _ in range(config.cells)])
        idle = family.settle(family.burning, 4.0)
        if idle:
            siege.complaints["afterwards"] = [f"still at work: {idle}"]
    return siege.complaints


def _frozen(options: dict) -> dict:
    """JSON has no tuples."""
    return {name: tuple(value) if isinstance(value, list) else value for name, value in options.items()}


def main() -> None:
    """Carry out the order on the command line."""
    system.adopt_orphans()  # so that none can slip away
    surroundings = Surroundings(os.environ[TOKEN_VARIABLE])
    descriptors = family.open_files()
    try:
        complaints = asyncio.run(besiege(json.loads(sys.argv[1]), surroundings))
        last = complaints.setdefault("afterwards", [])
        last += [f"process left: {process}" for process in family.settle(family.descendants, 5.0)]
        if family.open_files() > descriptors:
            last.append("descriptors left")
    finally:
        surroundings.close()
    print(json.dumps(complaints))


if __name__ == "__main__":
    main()
