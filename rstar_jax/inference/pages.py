"""Which page holds what: reference counts, an index by content, and the least recently used leaving first.

A page is `page_size` tokens' keys and values. What a page holds depends on every token before it, so it is known by
the chain of all of them: the key of a page is the digest of its predecessors followed by its own tokens. A page is
written by one owner and never changed once it is indexed; who wants to go on in the middle of a page copies it.

Host-side bookkeeping only: no device, no clock.
"""

from __future__ import annotations

import bisect
import collections
import dataclasses
import hashlib
from collections.abc import Iterable

import numpy as np

ROOT = b""  # the digest of nothing
_ID_BYTES = 4


@dataclasses.dataclass(frozen=True)
class Match:
    """What is known of a sequence: whole pages, and perhaps the beginning of one more.

    pages: full pages from the start of the sequence. digest: of all their tokens. partial: a page whose first `extra`
    tokens come next (-1: none).
    """

    pages: list[int]
    digest: bytes
    partial: int = -1
    extra: int = 0

    def length(self, page_size: int) -> int:
        return len(self.pages) * page_size + self.extra


class PageTable:
    """The pages of one pool. Every page is free, idle (indexed, nobody's, may be given away), or held by somebody."""

    def __init__(self, pages: int, page_size: int):
        self.page_size = page_size
        self.total = pages
        self._free = list(range(pages - 1, -1, -1))
        self._idle: collections.OrderedDict[int, None] = collections.OrderedDict()
        self._users = [0] * pages
        self._key_of: dict[int, tuple[bytes, bytes]] = {}  # page -> (digest before it, its tokens)
        self._page_of: dict[tuple[bytes, bytes], int] = {}
        self._after: dict[bytes, list[bytes]] = {}  # digest -> sorted tokens of the pages that follow

    @property
    def available(self) -> int:
        """Pages that can be had now."""
        return len(self._free) + len(self._idle)

    @property
    def held(self) -> int:
        return self.total - self.available

    @property
    def cached(self) -> int:
        """Pages that hold something known, in use or not."""
        return len(self._key_of)

    def match(self, tokens: np.ndarray, start: int = 0, digest: bytes = ROOT) -> Match:
        """The longest known beginning of tokens[start:], which follow what `digest` names. Nothing is held by it.

        start: a multiple of the page size.
        """
        size, pages = self.page_size, []
        text = _encode(tokens[start:])
        width = size * _ID_BYTES
        at = 0
        while at + width <= len(text):
            key = (digest, text[at : at + width])
            page = self._page_of.get(key)
            if page is None:
                break
            pages.append(page)
            digest, at = chain(*key), at + width
        partial, extra = self._begins(digest, text[at : at + width])
        return Match(pages, digest, partial, extra)

    def _begins(self, digest: bytes, text: bytes) -> tuple[int, int]:
        """The page after `digest` that shares the longest beginning with `text`: a neighbour in sorted order."""
        following = self._after.get(digest)
        if not following or not text:
            return -1, 0
        place = bisect.bisect_left(following, text)
        near = following[max(place - 1, 0) : place + 1]
        shared = [_common(text, other) for other in near]
        best = max(range(len(near)), key=shared.__getitem__)
        return (self._page_of[digest, near[best]], shared[best]) if shared[best] else (-1, 0)

    def take(self, count: int) -> list[int] | None:
        """`count` pages of unknown content, held by the caller; None, and nothing taken, if there are not so many."""
        if count > self.available:
            return None
        taken = []
        for _ in range(count):
            if not self._free:
                self._forget(next(iter(self._idle)))
            page = self._free.pop()
            self._users[page] = 1
            taken.append(page)
        return taken

    def hold(self, pages: Iterable[int]) -> None:
        """One more user of each page."""
        for page in pages:
            self._users[page] += 1
            self._idle.pop(page, None)

    def release(self, pages: list[int]) -> None:
        """One user less of each page of a sequence: its end is given away before its beginning."""
        for page in reversed(pages):
            self._users[page] -= 1
            if self._users[page] == 0:
                if page in self._key_of:
                    self._idle[page] = None
                else:
                    self._free.append(page)

    def index(self, page: int, digest: bytes, tokens: np.ndarray) -> None:
        """Make known what a held page holds; without effect if another page is known for the same."""
        key = (digest, _encode(tokens))
        if key in self._page_of or page in self._key_of:
            return
        self._page_of[key] = page
        self._key_of[page] = key
        bisect.insort(self._after.setdefault(digest, []), key[1])

    def _forget(self, page: int) -> None:
        """An idle page becomes a free one."""
        del self._idle[page]
        digest, text = key = self._key_of.pop(page)
        del self._page_of[key]
        following = self._after[digest]
        del following[bisect.bisect_left(following, text)]
        if not following:
            del self._after[digest]
        self._free.append(page)


def chain(digest: bytes, text: bytes) -> bytes:
    """The digest of all tokens up to the end of a page."""
    return hashlib.blake2b(digest + text, digest_size=16).digest()


def chain_tokens(digest: bytes, tokens: np.ndarray) -> bytes:
    return chain(digest, _encode(tokens))


def _encode(tokens: np.ndarray) -> bytes:
    """Big-endian, so that bytes sort as tokens do."""
    return tokens.astype(">i4").tobytes()


def _common(one: bytes, other: bytes) -> int:
    """Number of tokens that two encoded sequences share at their beginning."""
    size = min(len(one), len(other))
    differing = int.from_bytes(one[:size]) ^ int.from_bytes(other[:size])
    return (8 * size - differing.bit_length()) // (8 * _ID_BYTES)
