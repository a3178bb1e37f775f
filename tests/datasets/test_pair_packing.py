"""Packing of pairs: a group is one trunk and its branches, and every pair points at the ends of its texts."""

from __future__ import annotations

import numpy as np
import pytest

from rstar_jax.datasets.pair_packing import Group, group_pairs, pack_pairs, split_group
from rstar_jax.trajectory.tokenizer import Tokenizer, train_tokenizer


def pair(prompt: str, pos: str, neg: str, counts: tuple[int, int] = (2, 2), problem: str = "p") -> dict:
    return {
        "prompt": prompt,
        "pos": f"{pos}<end_of_step>",
        "neg": f"{neg}<end_of_step>",
        "pos_count": counts[0],
        "neg_count": counts[1],
        "problem": problem,
    }


ROWS = [
    *(pair("Q<code>", pos, neg) for pos in ("ab", "ac") for neg in ("ad", "aeee")),
    pair("Q<code>", "ab", "x", (1, 1), problem="other"),
    pair("R<code>", "good", "bad", (1, 1)),
]


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return train_tokenizer([], 300)  # bytes and tags


def paths(arrays: dict[str, np.ndarray], row: int, end: int) -> list[int]:
    """The tokens that the token at `end` sees, in order of their positions."""
    segment, branch = arrays["segments"][row, end], arrays["branches"][row, end]
    here = (arrays["segments"][row] == segment) & np.isin(arrays["branches"][row], (0, branch))
    order = np.argsort(arrays["positions"][row][here], kind="stable")
    positions = arrays["positions"][row][here][order]
    assert positions.tolist() == list(range(len(positions)))
    return arrays["tokens"][row][here][order].tolist()


def test_groups_share_problem_and_prompt(tokenizer: Tokenizer) -> None:
    groups = group_pairs(ROWS, tokenizer)
    assert [len(group.texts) for group in groups] == [4, 2, 2]
    assert [sum(weight for *_, weight in group.pairs) for group in groups] == [1, 1, 1]
    assert groups[0].trunk == 3  # "Q", "<code>" and the "a" that all four steps begin with
    assert groups[0].length == 3 + 2 + 2 + 2 + 4


@pytest.mark.parametrize("length", [13, 16, 64])
def test_every_pair_is_there_with_its_texts(tokenizer: Tokenizer, length: int) -> None:
    packed = pack_pairs(group_pairs(ROWS, tokenizer), length)
    arrays, found = packed.arrays, []
    for row, number in np.argwhere(arrays["pair_weights"] > 0):
        texts = (
            tokenizer.decode(paths(arrays, row, arrays[side][row, number])) for side in ("better", "worse")
        )
        found.append((*texts, float(arrays["pair_weights"][row, number])))
    wanted = [
        (row["prompt"] + row["pos"], row["prompt"] + row["neg"], 1 / (row["pos_count"] * row["neg_count"]))
        for row in ROWS
    ]
    assert sorted(found) == sorted(wanted)
    assert (packed.examples, packed.dropped) == (len(ROWS), 0)


def test_a_text_that_begins_another_keeps_its_last_token() -> None:
    group = Group([[1, 2], [1, 2, 3]], [(0, 1, 1.0)])
    assert (group.trunk, group.length) == (1, 4)


def test_a_long_group_is_halved_and_a_long_pair_dropped() -> None:
    group = Group(
        [[0, *[k] * 5] for k in range(1, 5)], [(0, 2, 0.25), (0, 3, 0.25), (1, 2, 0.25), (1, 3, 0.25)]
    )
    assert [len(part.pairs) for part in split_group(group, 21)] == [4]
    assert [len(part.texts) for part in split_group(group, 16)] == [3, 3]
    assert [len(part.pairs) for part in split_group(group, 11)] == [1, 1, 1, 1]
    assert split_group(group, 10) == []
    packed = pack_pairs([group], 10)
    assert (packed.n_rows, packed.examples, packed.dropped) == (0, 0, 4)


def test_released_rows_without_a_problem_are_grouped_by_prompt(tokenizer: Tokenizer) -> None:
    rows = [{name: value for name, value in row.items() if name != "problem"} for row in ROWS]
    assert [len(group.texts) for group in group_pairs(rows, tokenizer)] == [5, 2]
