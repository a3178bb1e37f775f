"""Packing: tokenised examples of any length into arrays of one shape [R, L], so that a training step
compiles once.

Examples are put into rows first-fit in a seeded random order, so that the two solutions of a problem rarely
meet in a batch; of a few hundred that follow each other in it, the longest come first, which leaves fewer gaps. Each
example is a segment of its row (numbered from 1; 0 is padding) and sees nobody else
(`models.packed_rows.packed_mask`). What is longer than a row is dropped and counted, never cut: a solution
without its end would teach the policy to stop anywhere.

Shape letters: R rows, L tokens of a row.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Int

from rstar_jax.datasets.packed import SFT_LAYOUT, Layout, Packed, Segment, fill_row
from rstar_jax.trajectory.prompts import policy_prompt
from rstar_jax.trajectory.tags import ANSWER, CODE, END_OF_CODE, END_OF_OUTPUT
from rstar_jax.trajectory.tokenizer import Tokenizer

_OPEN_ROWS = (
    256  # first-fit looks back at so many unfilled rows; keeps packing linear in the number of examples
)
_SORTED = 256  # examples that are put into rows by falling length; more would outgrow the open rows


@dataclasses.dataclass(frozen=True)
class TokenisedSolution:
    """A prompt with its response as ids, and which of them the loss is about."""

    tokens: list[int]
    targets: list[bool]

    def segment(self) -> Segment:
        return Segment({"tokens": np.asarray(self.tokens, np.int32), "loss_mask": np.asarray(self.targets, np.bool_)})


@dataclasses.dataclass(frozen=True)
class Placement:
    """Which examples stand in which row: those of row r are `members[ends[r - 1] : ends[r]]`, in this order."""

    members: Int[np.ndarray, " placed"]
    ends: Int[np.ndarray, " R"]

    @property
    def rows(self) -> list[np.ndarray]:
        return np.split(self.members, self.ends[:-1]) if len(self.ends) else []


def place(lengths: Sequence[int] | Int[np.ndarray, " n"], capacity: int, seed: int) -> Placement:
    """First-fit in a seeded random order, by falling length within each `_SORTED` of it.

    Lengths of a row sum to at most `capacity`; what is longer is left out. It takes some tens of bytes an example, so
    that millions of them fit a small host.
    """
    lengths = np.asarray(lengths, np.int64)
    order = np.random.default_rng(seed).permutation(len(lengths))
    order = order[np.lexsort((-lengths[order], np.arange(len(order)) // _SORTED))]
    row_of = np.full(len(lengths), -1, np.int64)  # by place in the order
    n_rows, free = 0, np.zeros(0, np.int64)  # of the last _OPEN_ROWS rows
    for turn, index in enumerate(order):
        length = lengths[index]
        if length > capacity:
            continue
        fits = free >= length
        if fits.any():
            at = int(fits.argmax())
        else:
            n_rows += 1
            free = np.append(free, capacity)[-_OPEN_ROWS:]
            at = len(free) - 1
        row_of[turn] = n_rows - len(free) + at
        free[at] -= length
    placed = row_of >= 0
    by_row = np.argsort(row_of[placed], kind="stable")  # within a row they stay in the order they came
    return Placement(order[placed][by_row], np.cumsum(np.bincount(row_of[placed], minlength=n_rows)))


def first_fit(lengths: Sequence[int], capacity: int, seed: int) -> list[list[int]]:
    """`place` as lists of example numbers, one a row."""
    return [row.tolist() for row in place(lengths, capacity, seed).rows]


def pack(segments: Sequence[Segment], layout: Layout, length: int, seed: int) -> Packed:
    """Rows of segments in memory. Segments that are longer than a row are dropped."""
    rows = first_fit([segment.length for segment in segments], length, seed)
    n_pairs = max((sum(segments[index].n_pairs for index in row) for row in rows), default=0)
    arrays = layout.zeros(len(rows), length, n_pairs)
    for row, indices in enumerate(rows):
        fill_row({name: array[row] for name, array in arrays.items()}, [segments[index] for index in indices])
    examples = sum(segments[index].examples for row in rows for index in row)
    return Packed(arrays, examples, sum(segment.examples for segment in segments) - examples)


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
    return pack([solution.segment() for solution in solutions], SFT_LAYOUT, length, seed)


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
