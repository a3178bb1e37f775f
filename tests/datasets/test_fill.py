"""Rows of 4096 tokens are at least 95 % full, for data that are as long as the released ones."""

from __future__ import annotations

import json
import pathlib

import numpy as np
import pytest

from rstar_jax.datasets.packing import pack_sft, place, tokenise_sft
from rstar_jax.datasets.pair_packing import group_pairs, pack_pairs
from rstar_jax.trajectory.tags import POLICY_TOKENS, REWARD_TOKENS
from rstar_jax.trajectory.tokenizer import load_tokenizer

SHARED = pathlib.Path(__file__).parents[2].parent / "shared" / "data"
ROW = 4096
N = 3000

with_samples = pytest.mark.skipif(not SHARED.exists(), reason="the released samples lie outside the repository")


def drawn(name: str) -> list[dict]:
    """Many rows from the few samples: each is one of them."""
    samples = json.loads((SHARED / "official" / name).read_text())
    return [samples[number] for number in np.random.default_rng(0).integers(0, len(samples), N)]


@with_samples
def test_released_solutions_fill_their_rows() -> None:
    tokenizer = load_tokenizer(SHARED / "tokenizer_qwen2", POLICY_TOKENS)
    packed = pack_sft(tokenise_sft(drawn("sft_data_examples.json"), tokenizer), ROW)
    assert packed.dropped == 0
    assert packed.n_rows > 200
    assert packed.fill >= 0.95


@with_samples
@pytest.mark.parametrize("pairs", [1, 2, 4])
def test_released_pairs_fill_their_rows(pairs: int) -> None:
    """In groups of one pair, of one against two, and of two against two."""
    rows = []
    for number, row in enumerate(drawn("rm_data_examples.json")[: N // 3]):
        sides = [(0, 0), (0, 1), (1, 0), (1, 1)][:pairs]
        rows += [
            row | {"pos": f"{'#' * better}{row['pos']}", "neg": f"{'#' * worse}{row['neg']}", "problem": number}
            for better, worse in sides
        ]
    tokenizer = load_tokenizer(SHARED / "tokenizer_qwen2", REWARD_TOKENS)
    packed = pack_pairs(group_pairs(rows, tokenizer), ROW)
    assert (packed.examples, packed.dropped) == (len(rows), 0)
    assert packed.n_rows > 50
    assert packed.fill >= 0.95


# Median of the lengths in tokens, and spread of their logarithm. Solutions and single pairs as in the samples (Qwen's
# tokenizer), groups of two against two of those, and groups of whole solutions, of which two or three go into a row.
DISTRIBUTIONS = {
    "solutions": (270, 0.35),
    "pairs": (540, 0.40),
    "groups": (900, 0.45),
    "long groups": (1500, 0.35),
}


@pytest.mark.parametrize("name", DISTRIBUTIONS)
@pytest.mark.parametrize("seed", [0, 1])
def test_made_up_lengths_fill_their_rows(name: str, seed: int) -> None:
    median, spread = DISTRIBUTIONS[name]
    lengths = np.random.default_rng(seed).lognormal(np.log(median), spread, 20_000).astype(int)
    lengths = np.minimum(lengths, ROW)
    found = place(lengths, ROW, seed)
    assert lengths.sum() / (len(found.ends) * ROW) >= 0.95
