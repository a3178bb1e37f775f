"""The index of pages, against a model that remembers everything."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from rstar_jax.inference.pages import PageTable
from rstar_jax.inference.sequences import advance, begin, fork


def tokens(*values: int) -> np.ndarray:
    return np.array(values, np.int32)


def hold(table: PageTable, sequence: np.ndarray):
    """A sequence that is begun and filled; copies are returned with it."""
    copies: dict[int, int] = {}
    begun = begin(table, sequence, copies)
    if begun is not None:
        advance(table, begun, len(sequence))
    return begun, copies


def test_whole_pages_and_the_beginning_of_one_more_are_known():
    table = PageTable(10, 2)
    held, _ = hold(table, tokens(1, 2, 3, 4, 5))
    found = table.match(tokens(1, 2, 3, 4, 5, 6))
    assert (found.pages, found.partial, found.extra) == (held.pages[:2], held.pages[2], 1)
    found = table.match(tokens(1, 2, 3, 9))
    assert (found.pages, found.partial, found.extra) == (held.pages[:1], held.pages[1], 1)
    assert table.match(tokens(2, 2, 3)).length(2) == 0
    assert table.match(tokens()).length(2) == 0


def test_the_longest_beginning_is_found_among_many():
    table = PageTable(20, 4)
    for rest in ((7, 7), (5, 1, 9), (5, 2, 8, 1), (5, 2, 9), (6,)):
        hold(table, tokens(1, 2, 3, 4, *rest))
    for rest, shared in (((5, 2, 9, 9), 3), ((5, 2, 8, 2), 3), ((5, 3), 1), ((6, 6), 1), ((8,), 0), ((5, 2, 8, 1), 4)):
        assert table.match(tokens(1, 2, 3, 4, *rest)).length(4) == 4 + shared


def test_nothing_is_copied_where_all_is_known_and_a_page_where_one_begins_alike():
    table = PageTable(10, 4)
    first, _ = hold(table, tokens(1, 2, 3, 4, 5, 6))
    same, copies = hold(table, tokens(1, 2, 3, 4, 5, 6))
    assert (same.pages, copies) == (first.pages, {})
    shorter, copies = hold(table, tokens(1, 2, 3, 4, 5))
    assert (shorter.pages, copies) == (first.pages, {})
    other, copies = hold(table, tokens(1, 2, 3, 4, 5, 7))
    assert other.pages[0] == first.pages[0]
    assert copies == {other.pages[1]: first.pages[1]}


def test_a_fork_shares_full_pages_and_copies_the_last():
    table = PageTable(10, 4)
    trunk, _ = hold(table, tokens(1, 2, 3, 4, 5, 6))
    copies: dict[int, int] = {}
    one, two = fork(table, trunk, copies), fork(table, trunk, copies)
    assert one[0] == two[0] == trunk.pages[0]
    assert len({one[1], two[1], trunk.pages[1]}) == 3
    assert copies == {one[1]: trunk.pages[1], two[1]: trunk.pages[1]}


def test_least_recently_used_leaves_its_end_first_and_holders_keep():
    table = PageTable(4, 2)
    old, _ = hold(table, tokens(1, 2, 3, 4))
    new, _ = hold(table, tokens(5, 6))
    table.release(old.pages)
    table.release(new.pages)
    assert table.available == 4
    assert table.take(2) is not None  # the free page, and the end of the old sequence
    assert table.match(tokens(1, 2, 3, 4)).length(2) == 2
    kept, _ = hold(table, tokens(5, 6))
    assert table.take(1) is not None
    assert table.match(tokens(1, 2)).length(2) == 0
    assert table.take(1) is None
    assert table.match(tokens(5, 6)).pages == kept.pages


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.lists(st.integers(0, 2), min_size=1, max_size=9), st.booleans()), max_size=30))
def test_what_is_claimed_to_be_known_really_lies_there(steps):
    """Random sequences in a small pool; the model writes tokens into pages as the device would."""
    table, memory, held = PageTable(8, 2), {}, []
    for sequence, release_first in steps:
        if release_first and held:
            table.release(held.pop(0).pages)
        wanted = tokens(*sequence)
        copies: dict[int, int] = {}
        begun = begin(table, wanted, copies)
        if begun is None:
            continue
        for target, source in copies.items():
            memory[target] = list(memory[source])
        for place in range(begun.filled, len(wanted)):
            page = begun.pages[place // 2]
            memory[page] = [*memory.get(page, [])[: place % 2], int(wanted[place])]
        advance(table, begun, len(wanted))
        held.append(begun)
        for one in held:
            content = [token for page in one.pages for token in memory[page]]
            assert content[: len(one.tokens)] == one.tokens.tolist()
    for one in held:
        table.release(one.pages)
    assert table.available == 8
