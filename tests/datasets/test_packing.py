"""Packing of SFT rows: nothing is lost, nothing is cut, and the mask says who wrote what."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rstar_jax.datasets.packing import TokenisedSolution, first_fit, pack_sft, tokenise_sft
from rstar_jax.trajectory.prompts import policy_prompt
from rstar_jax.trajectory.tokenizer import Tokenizer, train_tokenizer

ROW = {
    "query": "What is twice 21?",
    "response": "<code>\nprint(2 * 21)\n<end_of_code>\n<output>42<end_of_output>\n"
    "<answer>\\boxed{42}<end_of_answer>",
}


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return train_tokenizer([ROW["response"]], 300)


@given(st.lists(st.integers(1, 12), max_size=40), st.integers(0, 3))
def test_first_fit_places_everything_that_fits_once(lengths: list[int], seed: int) -> None:
    rows = first_fit(lengths, 10, seed)
    placed = sorted(index for row in rows for index in row)
    assert placed == [index for index, length in enumerate(lengths) if length <= 10]
    sums = [sum(lengths[index] for index in row) for row in rows]
    assert all(0 < total <= 10 for total in sums)
    assert sum(2 * total <= 10 for total in sums) <= 1  # two half-empty rows would have been one
    assert rows == first_fit(lengths, 10, seed)


def test_first_fit_over_more_rows_than_it_keeps_open() -> None:
    rows = first_fit([6] * 1000 + [4] * 1000, 10, 0)
    assert sorted(index for row in rows for index in row) == list(range(2000))
    assert max(map(len, rows)) == 2


def test_rows_hold_the_solutions_token_for_token() -> None:
    random = np.random.default_rng(0)
    solutions = [
        TokenisedSolution(random.integers(1, 90, n).tolist(), (random.random(n) < 0.5).tolist())
        for n in random.integers(2, 30, 25)
    ]
    packed = pack_sft([*solutions, TokenisedSolution([1] * 33, [True] * 33)], 32, seed=3)
    assert (packed.examples, packed.dropped) == (25, 1)
    arrays, found = packed.arrays, []
    for row in range(packed.n_rows):
        for segment in range(1, arrays["segments"][row].max() + 1):
            here = arrays["segments"][row] == segment
            tokens = arrays["tokens"][row][here].tolist()
            found.append(TokenisedSolution(tokens, arrays["loss_mask"][row][here].tolist()))
            assert arrays["positions"][row][here].tolist() == list(range(len(tokens)))
    key = lambda solution: solution.tokens  # noqa: E731
    assert sorted(found, key=key) == sorted(solutions, key=key)
    padding = arrays["segments"] == 0
    assert not arrays["loss_mask"][padding].any()
    assert packed.fill == pytest.approx(sum(len(one.tokens) for one in solutions) / padding.size)


def test_loss_is_on_what_the_policy_writes(tokenizer: Tokenizer) -> None:
    (solution,) = tokenise_sft([ROW], tokenizer)
    learned = [token for token, target in zip(solution.tokens, solution.targets, strict=True) if target]
    assert tokenizer.decode(solution.tokens) == policy_prompt(ROW["query"]) + ROW["response"]
    assert tokenizer.decode(learned) == ROW["response"].replace("\n<output>42<end_of_output>", "")


def test_released_learns_outputs_too(tokenizer: Tokenizer) -> None:
    (solution,) = tokenise_sft([ROW], tokenizer, output_in_loss=True)
    learned = [token for token, target in zip(solution.tokens, solution.targets, strict=True) if target]
    assert tokenizer.decode(learned) == ROW["response"]


def test_no_solution_gives_no_row() -> None:
    assert pack_sft([], 8).n_rows == 0
