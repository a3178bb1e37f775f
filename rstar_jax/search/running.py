"""Running candidate steps: from texts to executions, over the `Executor` protocol."""

from __future__ import annotations

import collections
from collections.abc import Sequence

from rstar_jax.search.protocols import Execution, Executor
from rstar_jax.trajectory.steps import Reading, program


async def run_steps(
    executor: Executor, history: tuple[str, ...], texts: Sequence[str], reading: Reading
) -> list[Execution]:
    """Run each step text after the steps of `history`; executions in the order of `texts`.

    Steps that continue the same programs share one call, so that the executor runs what they have in common
    once.
    """
    groups: dict[tuple[str, ...], list[int]] = collections.defaultdict(list)
    snippets: list[str] = []
    for place, text in enumerate(texts):
        before, snippet = program(history, text, reading)
        groups[before].append(place)
        snippets.append(snippet)
    results: dict[int, Execution] = {}
    for before, places in groups.items():
        executions = await executor.expand(before, [snippets[place] for place in places])
        results.update(zip(places, executions, strict=True))
    return [results[place] for place in range(len(texts))]
