"""A sequence of tokens and the pages that hold its keys and values."""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

import numpy as np

from rstar_jax.inference.pages import ROOT, PageTable, chain_tokens

Copies = dict[int, int]
"""Pages to copy before the next program runs: target to source."""


class Beginning(NamedTuple):
    """Tokens that sequences share. family: equal for equal content, whoever computed it."""

    length: int
    family: int


@dataclasses.dataclass(eq=False)
class Sequence:
    """`tokens` are to be in `pages`, and the first `filled` of them are. The sequence holds its pages.

    indexed, digest: full pages that are known by their content, and the digest of their tokens.
    """

    tokens: np.ndarray
    pages: list[int]
    filled: int = 0
    indexed: int = 0
    digest: bytes = ROOT

    def beginning(self, page_size: int, block: int) -> Beginning:
        """Its full pages that are known, as far as they fill blocks."""
        return Beginning(self.indexed * page_size // block * block, int.from_bytes(self.digest[:7]))

    @property
    def complete(self) -> bool:
        return self.filled == len(self.tokens)


def begin(
    table: PageTable, tokens: np.ndarray, copies: Copies, base: Sequence | None = None, rerun: int = 0
) -> Sequence | None:
    """Hold what is known of `tokens` and take pages for the rest; None, and nothing taken, if there are too few.

    base: a sequence that holds the beginning of `tokens`, so that only what follows its full pages is looked up.
    rerun: tokens at the end that are to be computed even if they are known.
    """
    size = table.page_size
    shared = base.pages[: base.indexed] if base else []
    start, digest = len(shared) * size, base.digest if base else ROOT
    match = table.match(tokens[: len(tokens) - rerun], start, digest)
    pages = [*shared, *match.pages]
    known = len(pages) * size + match.extra
    whole = known == len(tokens)
    partial = [match.partial] if match.extra else []
    table.hold([*pages, *partial])
    missing = -(-len(tokens) // size) - len(pages) - (len(partial) if whole else 0)
    taken = table.take(missing)
    if taken is None:
        table.release([*pages, *partial])
        return None
    indexed = len(pages)
    if whole:
        pages += partial
    elif partial:
        _plan_copy(copies, match.partial, taken[0])
        table.release(partial)  # it is read before anything that is planned later can be written
    return Sequence(tokens, [*pages, *taken], known, indexed, match.digest)


def fork(table: PageTable, trunk: Sequence, copies: Copies) -> list[int] | None:
    """Pages to go on behind a complete trunk: its full pages, and a copy of the last one unless it is full."""
    pages, full = trunk.pages, len(trunk.tokens) // table.page_size
    if full == len(pages):
        table.hold(pages)
        return list(pages)
    taken = table.take(1)
    if taken is None:
        return None
    table.hold(pages[:full])
    _plan_copy(copies, pages[full], taken[0])
    return [*pages[:full], *taken]


def _plan_copy(copies: Copies, source: int, target: int) -> None:
    copies.pop(target, None)  # of an owner that has left; copies stay in the order in which they were planned
    copies[target] = source


def advance(table: PageTable, sequence: Sequence, filled: int) -> None:
    """The sequence's tokens up to `filled` are in its pages (or will be, before anything else runs)."""
    size, sequence.filled = table.page_size, filled
    while (sequence.indexed + 1) * size <= filled:
        start = sequence.indexed * size
        tokens = sequence.tokens[start : start + size]
        table.index(sequence.pages[sequence.indexed], sequence.digest, tokens)
        sequence.digest = chain_tokens(sequence.digest, tokens)
        sequence.indexed += 1
    rest = sequence.tokens[sequence.indexed * size :]
    if sequence.complete and len(rest):
        table.index(sequence.pages[sequence.indexed], sequence.digest, rest)
