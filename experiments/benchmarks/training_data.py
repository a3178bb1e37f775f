"""Solutions and sets of preference pairs for `training.py`: random tokens, in the lengths of the released data.

Lengths are those of the samples that the authors' repository shows, in tokens of Qwen2 with the project's tags, or of
files in the same formats. A sample of pairs shows one pair of its set; the others' texts are taken to be as long.
"""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Iterable, Sequence

import numpy as np

from rstar_jax.datasets.packing import TokenisedSolution, tokenise_sft
from rstar_jax.datasets.pair_packing import Group, group_pairs
from rstar_jax.datasets.released import pair_rows, sft_rows
from rstar_jax.trajectory.tags import POLICY_TOKENS, REWARD_TOKENS
from rstar_jax.trajectory.tokenizer import load_tokenizer


@dataclasses.dataclass(frozen=True)
class SolutionSize:
    """Tokens of the prompt, of what the policy writes (the loss is about it), and of what was printed."""

    prompt: int
    written: int
    printed: int

    def shortened(self, by: int) -> SolutionSize:
        return SolutionSize(*(max(1, size // by) for size in (self.prompt, self.written, self.printed)))


@dataclasses.dataclass(frozen=True)
class SetSize:
    """Tokens that all texts of a set share, and of each text behind them. Each better one is paired with each worse."""

    trunk: int
    better: tuple[int, ...]
    worse: tuple[int, ...]

    def shortened(self, by: int) -> SetSize:
        better, worse = (tuple(max(1, size // by) for size in sizes) for sizes in (self.better, self.worse))
        return SetSize(max(1, self.trunk // by), better, worse)


SOLUTIONS = (
    SolutionSize(prompt=68, written=203, printed=4),
    SolutionSize(prompt=85, written=371, printed=21),
    SolutionSize(prompt=119, written=140, printed=5),
    SolutionSize(prompt=39, written=152, printed=7),
    SolutionSize(prompt=96, written=223, printed=10),
    SolutionSize(prompt=42, written=128, printed=7),
    SolutionSize(prompt=74, written=389, printed=46),
    SolutionSize(prompt=58, written=201, printed=6),
)
SETS = (
    SetSize(trunk=72, better=(177, 177), worse=(230, 230)),
    SetSize(trunk=96, better=(232, 232), worse=(234, 234)),
    SetSize(trunk=134, better=(298, 298), worse=(386, 386)),
    SetSize(trunk=140, better=(69,), worse=(61, 61, 61, 61)),
    SetSize(trunk=316, better=(169,), worse=(55, 55, 55, 55)),
)


def solution_sizes(file: pathlib.Path, tokenizer: str) -> list[SolutionSize]:
    """Of the solutions {"query", "response"} of a file."""
    solutions = tokenise_sft(sft_rows([file]), load_tokenizer(tokenizer, POLICY_TOKENS))
    return [_solution_size(solution.targets) for solution in solutions]


def _solution_size(targets: Sequence[bool]) -> SolutionSize:
    prompt = targets.index(True)
    return SolutionSize(prompt, sum(targets), len(targets) - prompt - sum(targets))


def set_sizes(file: pathlib.Path, tokenizer: str) -> list[SetSize]:
    """Of the pairs {"prompt", "pos", "neg", "pos_count", "neg_count"} of a file, by prompt."""
    rows = list(pair_rows([file]))
    counts = {(row.get("problem"), row["prompt"]): (row["pos_count"], row["neg_count"]) for row in rows}
    groups = group_pairs(rows, load_tokenizer(tokenizer, REWARD_TOKENS))
    return [_set_size(group, *count) for group, count in zip(groups, counts.values(), strict=True)]


def _set_size(group: Group, n_better: int, n_worse: int) -> SetSize:
    def tails(texts: Iterable[int], count: int) -> tuple[int, ...]:
        shown = [len(group.texts[i]) - group.trunk for i in dict.fromkeys(texts)]
        return tuple(shown[i % len(shown)] for i in range(max(count, len(shown))))

    better, worse = (better for better, _, _ in group.pairs), (worse for _, worse, _ in group.pairs)
    return SetSize(group.trunk, tails(better, n_better), tails(worse, n_worse))


def make_solutions(
    sizes: Sequence[SolutionSize], count: int, vocab_size: int, rng: np.random.Generator
) -> list[TokenisedSolution]:
    """So many solutions, as long as `sizes` in turn. Token 0 is padding and does not occur."""
    return [
        TokenisedSolution(
            rng.integers(1, vocab_size, size.prompt + size.written + size.printed).tolist(),
            [False] * size.prompt + [True] * size.written + [False] * size.printed,
        )
        for size in (sizes[i % len(sizes)] for i in range(count))
    ]


def make_groups(sizes: Sequence[SetSize], count: int, vocab_size: int, rng: np.random.Generator) -> list[Group]:
    """So many sets, as long as `sizes` in turn. Texts differ from the end of the trunk on."""
    return [_group(sizes[i % len(sizes)], vocab_size, rng) for i in range(count)]


def _group(size: SetSize, vocab_size: int, rng: np.random.Generator) -> Group:
    tails, n_better = (*size.better, *size.worse), len(size.better)
    trunk = rng.integers(1, vocab_size, size.trunk).tolist()
    texts = [[*trunk, 1 + i, *rng.integers(1, vocab_size, tail - 1).tolist()] for i, tail in enumerate(tails)]
    weight = 1 / (n_better * len(size.worse))
    worse = range(n_better, len(tails))
    return Group(texts, [(i, j, weight) for i in range(n_better) for j in worse])
