"""Packing of preference pairs: what the texts of a group have in common is encoded once.

The pairs of one problem and prompt form a group. Their full texts (prompt and step) are tokenised as the
search will present them; the trunk is the longest common beginning of all of them, and each text's remainder
is a branch. Trunk and branches share one segment of a row; positions continue from the trunk in every
branch, and `packed_mask` keeps branches apart, so each score is what it would be alone.

Shape letters: R rows, L tokens of a row, P pairs of a row.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from rstar_jax.datasets.packing import Packed, first_fit
from rstar_jax.trajectory.tokenizer import Tokenizer

_PAIR_MULTIPLE = 32  # P is rounded up to it, so that data of much the same density share a compiled step


@dataclasses.dataclass(frozen=True)
class Group:
    """Texts with a common beginning and the preferences between them.

    Attributes:
      texts: token ids of each text from its prompt's first to its step's last token.
      pairs: (index of the better text, index of the worse one, weight).
    """

    texts: list[list[int]]
    pairs: list[tuple[int, int, float]]

    @property
    def trunk(self) -> int:
        """Number of tokens that all texts share; every text keeps at least one of its own."""
        first, shortest = self.texts[0], min(map(len, self.texts))
        for position in range(shortest - 1):
            if any(text[position] != first[position] for text in self.texts):
                return position
        return shortest - 1

    @property
    def length(self) -> int:
        """Tokens that the group takes in a row."""
        trunk = self.trunk
        return trunk + sum(len(text) - trunk for text in self.texts)

    def part(self, pairs: Sequence[tuple[int, int, float]]) -> Group:
        """The same texts as far as `pairs` speaks of them."""
        used = sorted({index for better, worse, _ in pairs for index in (better, worse)})
        renamed = {old: new for new, old in enumerate(used)}
        return Group(
            [self.texts[index] for index in used],
            [(renamed[better], renamed[worse], weight) for better, worse, weight in pairs],
        )


def group_pairs(rows: Iterable[Mapping[str, Any]], tokenizer: Tokenizer) -> list[Group]:
    """Pair rows {"prompt", "pos", "neg", "pos_count", "neg_count", "problem" if known} as groups, in order
    of rows.

    A pair weighs 1 / (pos_count * neg_count), so that each set of siblings counts once, however many pairs
    it gives (Eq 4).
    """
    grouped: dict[tuple[Any, str], list[Mapping[str, Any]]] = {}
    for row in rows:
        grouped.setdefault((row.get("problem"), row["prompt"]), []).append(row)
    return [_group(prompt, members, tokenizer) for (_, prompt), members in grouped.items()]


def split_group(group: Group, length: int) -> list[Group]:
    """The group in as few halves of halves as fit into `length`; a single pair that is longer is left out."""
    if group.length <= length:
        return [group]
    half = len(group.pairs) // 2
    if not half:
        return []
    halves = (group.part(group.pairs[:half]), group.part(group.pairs[half:]))
    return [part for side in halves for part in split_group(side, length)]


def pack_pairs(groups: Sequence[Group], length: int, seed: int = 0) -> Packed:
    """Rows of groups.

    Arrays: tokens, positions, segments and branches (0 is the trunk), all [R, length]; better and worse [R,
      P], the
    index within the row of the last token of either text; pair_weights [R, P], 0 where there is no pair.
    """
    parts = [part for group in groups for part in split_group(group, length)]
    rows = first_fit([part.length for part in parts], length, seed)
    most = max((sum(len(parts[index].pairs) for index in row) for row in rows), default=0)
    most += -most % _PAIR_MULTIPLE
    arrays: dict[str, np.ndarray] = {
        name: np.zeros((len(rows), length), np.int32)
        for name in ("tokens", "positions", "segments", "branches")
    }
    arrays |= {name: np.zeros((len(rows), most), np.int32) for name in ("better", "worse")}
    arrays["pair_weights"] = np.zeros((len(rows), most), np.float32)
    for row, indices in enumerate(rows):
        _fill_row({name: array[row] for name, array in arrays.items()}, [parts[index] for index in indices])
    packed = sum(len(part.pairs) for part in parts)
    return Packed(arrays, packed, sum(len(group.pairs) for group in groups) - packed)


def _group(prompt: str, rows: Sequence[Mapping[str, Any]], tokenizer: Tokenizer) -> Group:
    steps = list(dict.fromkeys(step for row in rows for step in (row["pos"], row["neg"])))
    index = {step: number for number, step in enumerate(steps)}
    pairs = [
        (index[row["pos"]], index[row["neg"]], 1 / (row["pos_count"] * row["neg_count"])) for row in rows
    ]
    return Group(tokenizer.encode_batch([prompt + step for step in steps]), pairs)


def _fill_row(row: dict[str, np.ndarray], groups: Sequence[Group]) -> None:
    start, first_pair = 0, 0
    for segment, group in enumerate(groups, start=1):
        ends, trunk, begin = [], group.trunk, start
        for branch, tokens in enumerate([group.texts[0][:trunk], *(text[trunk:] for text in group.texts)]):
            at = slice(start, start + len(tokens))
            row["tokens"][at] = tokens
            row["positions"][at] = np.arange(len(tokens)) + (trunk if branch else 0)
            row["branches"][at] = branch
            start += len(tokens)
            ends.append(start - 1)
        row["segments"][begin:start] = segment
        pairs = slice(first_pair, first_pair + len(group.pairs))
        row["better"][pairs] = [ends[1 + better] for better, _, _ in group.pairs]
        row["worse"][pairs] = [ends[1 + worse] for _, worse, _ in group.pairs]
        row["pair_weights"][pairs] = [weight for _, _, weight in group.pairs]
        first_pair = pairs.stop
