"""Packing: tokenised examples of any length into arrays of one shape [R, L], so that a training step
compiles once.

Examples are put into rows first-fit in a seeded random order, so that the two solutions of a problem rarely
meet in a batch. Each example is a segment of its row (numbered from 1; 0 is padding) and sees nobody else
(`models.attention.packed_mask`). What is longer than a row is dropped and counted, never cut: a solution
without its end would teach the policy to stop anywhere.

Shape letters: R rows, L tokens of a row.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from rstar_jax.trajectory.prompts import policy_prompt
from rstar_jax.trajectory.tags import ANSWER, CODE, END_OF_CODE, END_OF_OUTPUT
from rstar_jax.trajectory.tokenizer import Tokenizer

_OPEN_ROWS = (
    256  # first-fit looks back at so many unfilled rows; keeps packing linear in the number of examples
)


@dataclasses.dataclass(frozen=True)
class Packed:
    """Rows ready for training.

    Attributes:
      arrays: numpy arrays with a leading axis R, at least `tokens`, `positions` and `segments`, all [R, L].
      examples: what the rows hold in the unit that batch sizes are given in (trajectories or preference
        pairs).
      dropped: examples that were longer than a row.
    """

    arrays: dict[str, np.ndarray]
    examples: int
    dropped: int

    @property
    def n_rows(self) -> int:
        return len(self.arrays["tokens"])

    @property
    def fill(self) -> float:
        """Share of the tokens that is no padding."""
        return float((self.arrays["segments"] > 0).mean()) if self.n_rows else 0.0


@dataclasses.dataclass(frozen=True)
class TokenisedSolution:
    """A prompt with its response as ids, and which of them the loss is about."""

    tokens: list[int]
    targets: list[bool]


def first_fit(lengths: Sequence[int], capacity: int, seed: int) -> list[list[int]]:
    """Rows of example indices. Lengths of a row sum to at most `capacity`; what is longer is left out."""
    rows: list[list[int]] = []
    free = np.zeros(0, np.int64)  # of the last _OPEN_ROWS rows
    for index in np.random.default_rng(seed).permutation(len(lengths)):
        length = lengths[index]
        if length > capacity:
            continue
        fits = free >= length
        if fits.any():
            at = int(fits.argmax())
        else:
            rows.append([])
            free = np.append(free, capacity)[-_OPEN_ROWS:]
            at = len(free) - 1
        rows[len(rows) - len(free) + at].append(int(index))
        free[at] -= length
    return rows


def tokenise_sft(
    rows: Iterable[Mapping[str, Any]], tokenizer: Tokenizer, output_in_loss: bool = False
) -> list[TokenisedSolution]:
    """Rows {"query", "response"} as ids; the loss is about the response.

    Args:
      output_in_loss: whether the policy also learns what the interpreter printed (everything after
        `<end_of_code>` up to and with `<end_of_output>`). It never has to write that itself; the released
        training does learn it.
    """
    rows = list(rows)
    prompts = tokenizer.encode_batch([policy_prompt(row["query"]) for row in rows])
    responses = tokenizer.encode_batch([row["response"] for row in rows])
    solutions = []
    for prompt, response in zip(prompts, responses, strict=True):
        targets = [True] * len(response) if output_in_loss else _written_by_policy(response, tokenizer)
        solutions.append(TokenisedSolution(prompt + response, [False] * len(prompt) + targets))
    return solutions


def pack_sft(solutions: Sequence[TokenisedSolution], length: int, seed: int = 0) -> Packed:
    """Arrays [R, length]: tokens, positions, segments and loss_mask (true where the token is a target)."""
    rows = first_fit([len(solution.tokens) for solution in solutions], length, seed)
    names = {"tokens": np.int32, "positions": np.int32, "segments": np.int32, "loss_mask": np.bool_}
    arrays = {name: np.zeros((len(rows), length), dtype) for name, dtype in names.items()}
    for row, indices in enumerate(rows):
        start = 0
        for segment, index in enumerate(indices, start=1):
            solution = solutions[index]
            at = (row, slice(start, start + len(solution.tokens)))
            arrays["tokens"][at] = solution.tokens
            arrays["positions"][at] = np.arange(len(solution.tokens))
            arrays["segments"][at] = segment
            arrays["loss_mask"][at] = solution.targets
            start += len(solution.tokens)
    packed = sum(map(len, rows))
    return Packed(arrays, packed, len(solutions) - packed)


def _written_by_policy(response: Sequence[int], tokenizer: Tokenizer) -> list[bool]:
    """False for the interpreter's part: after `<end_of_code>`, up to and with `<end_of_output>`."""
    opens = tokenizer.token_id(END_OF_CODE)
    closes = {tokenizer.token_id(tag) for tag in (END_OF_OUTPUT, ANSWER, CODE)}
    end_of_output = tokenizer.token_id(END_OF_OUTPUT)
    written, in_output = [], False
    for token in response:
        in_output &= token not in closes
        written.append(not in_output and token != end_of_output)
        in_output |= token == opens
    return written
