"""Packing of solutions whose steps have values: a row holds whole solutions, and a target at the end of each step.

The text of a solution is the one that search would ask about, prompt and all steps, so the token that ends a step reads
exactly what a search reads when it asks for that step.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from rstar_jax.datasets.packed import VALUE_LAYOUT, Packed, Segment
from rstar_jax.datasets.packing import pack
from rstar_jax.trajectory.prompts import policy_prompt
from rstar_jax.trajectory.tokenizer import Tokenizer


@dataclasses.dataclass(frozen=True)
class ValuedSolution:
    """A solution as ids.

    Attributes:
      tokens: of prompt and steps.
      targets: (place of a step's last token, its Q), one a step.
    """

    tokens: list[int]
    targets: list[tuple[int, float]]

    def segment(self) -> Segment:
        """`q` and `step_weights` are zero but where a step ends; there the weights of a solution share one."""
        q, weights = (np.zeros(len(self.tokens), np.float32) for _ in range(2))
        for place, value in self.targets:
            q[place], weights[place] = value, 1 / len(self.targets)
        return Segment({"tokens": np.asarray(self.tokens, np.int32), "q": q, "step_weights": weights})


def tokenise_values(rows: Iterable[Mapping[str, Any]], tokenizer: Tokenizer) -> list[ValuedSolution]:
    """Rows {"query", "steps", "q"} as ids.

    Steps end in tags, and no token reaches across a tag. A step that was kept without one (`SearchConfig.incomplete`)
    has no target where a token goes on into the next step.
    """
    rows = list(rows)
    encoded = tokenizer.encode_with_ends([policy_prompt(row["query"], "".join(row["steps"])) for row in rows])
    solutions = []
    for row, (tokens, ends) in zip(rows, encoded, strict=True):
        place_of = {end: place for place, end in enumerate(ends)}  # of tokens within one character the last
        prompt = len(policy_prompt(row["query"]))
        step_ends = itertools.accumulate(map(len, row["steps"]), initial=prompt)
        targets = zip(itertools.islice(step_ends, 1, None), row["q"], strict=True)
        solutions.append(ValuedSolution(tokens, [(place_of[end], q) for end, q in targets if end in place_of]))
    return solutions


def pack_values(solutions: Sequence[ValuedSolution], length: int, seed: int = 0) -> Packed:
    """Arrays [R, length]: tokens, positions, segments, q and step_weights (0 where no step ends)."""
    return pack([solution.segment() for solution in solutions], VALUE_LAYOUT, length, seed)
