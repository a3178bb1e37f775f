"""Packing of preference pairs: what the texts of a group have in common is encoded once.

The pairs of one problem and prompt form a group. Their full texts (prompt and step) are tokenised as the
search will present them; the trunk is the longest common beginning of all of them, and each text's remainder
is a branch. Trunk and branches share one segment of a row; positions continue from the trunk in every
branch, and `packed_mask` keeps branches apart, so each score is what it would be alone.

Shape letters: R rows, L tokens of a row, P pairs of a row.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from rstar_jax.datasets.packed import PAIR_LAYOUT, Packed, Segment
from rstar_jax.datasets.packing import pack
from rstar_jax.trajectory.tokenizer import Tokenizer


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

    def segment(self) -> Segment:
        """Trunk and branches one behind the other; a pair points at the last tokens of its two texts."""
        trunk = self.trunk
        pieces = [self.texts[0][:trunk], *(text[trunk:] for text in self.texts)]
        sizes = [len(piece) for piece in pieces]
        ends = np.cumsum(sizes) - 1
        return Segment(
            {
                "tokens": np.concatenate([np.asarray(piece, np.int32) for piece in pieces]),
                "branches": np.repeat(np.arange(len(pieces), dtype=np.int32), sizes),
            },
            {
                "better": np.asarray([ends[1 + better] for better, _, _ in self.pairs], np.int32),
                "worse": np.asarray([ends[1 + worse] for _, worse, _ in self.pairs], np.int32),
                "pair_weights": np.asarray([weight for _, _, weight in self.pairs], np.float32),
            },
        )

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
    return encode_groups(list(grouped.values()), tokenizer)


def encode_groups(members: Sequence[Sequence[Mapping[str, Any]]], tokenizer: Tokenizer) -> list[Group]:
    """Lists of pair rows, each with one prompt, as groups; all texts are tokenised at once, in parallel."""
    steps = [list(dict.fromkeys(step for row in rows for step in (row["pos"], row["neg"]))) for rows in members]
    texts = [rows[0]["prompt"] + step for rows, own in zip(members, steps, strict=True) for step in own]
    encoded = iter(tokenizer.encode_batch(texts))
    return [
        Group(list(itertools.islice(encoded, len(own))), _pairs(rows, own))
        for rows, own in zip(members, steps, strict=True)
    ]


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

    Arrays: tokens, positions, segments and branches (0 is the trunk), all [R, length]; better and worse [R, P],
    the index within the row of the last token of either text; pair_weights [R, P], 0 where there is no pair.
    """
    parts = [part.segment() for group in groups for part in split_group(group, length)]
    packed = pack(parts, PAIR_LAYOUT, length, seed)
    return Packed(packed.arrays, packed.examples, sum(len(group.pairs) for group in groups) - packed.examples)


def _pairs(rows: Sequence[Mapping[str, Any]], steps: Sequence[str]) -> list[tuple[int, int, float]]:
    index = {step: number for number, step in enumerate(steps)}
    return [(index[row["pos"]], index[row["neg"]], 1 / (row["pos_count"] * row["neg_count"])) for row in rows]
