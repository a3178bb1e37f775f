"""A line of text for each node: what tells it from its siblings."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from rstar_jax.search.tree import Tree
from rstar_jax.trajectory.tags import ALL_TAGS, END_OF_CODE

LONGEST = 80  # characters
VISIBLE = 25  # of these, as many as the page has room for
DIFFERENCE = 6  # characters of a difference that are to be seen


def labels(tree: Tree) -> list[str]:
    """The answer of an answer; of other nodes the first line that no sibling has, or else the first line.

    Of a long line that begins as a sibling's does, what differs is shown.
    """
    found = ["Question"] * len(tree)
    for children in tree.children:
        chosen = [_label(tree, child) for child in children]
        for place, child in enumerate(children):
            found[child] = _tail(chosen[place], chosen[:place] + chosen[place + 1 :])[:LONGEST]
    return found


def _label(tree: Tree, node: int) -> str:
    if tree.answer[node]:
        return f"= {' '.join(tree.answer[node].split())}"
    others = {line for other in tree.children[tree.parent[node]] if other != node for line in _lines(tree.text[other])}
    lines = _lines(tree.text[node])
    own = [line for line in lines if line not in others]
    return [*own, *lines, "(empty)"][0]


def _tail(label: str, others: Sequence[str]) -> str:
    """A label from the word on from which all of it is seen, or else its first difference from the others is."""
    shared = max((_shared(label, other) for other in others if other != label), default=0)
    if len(label) <= VISIBLE or shared + DIFFERENCE <= VISIBLE:
        return label
    starts = [place for place in range(1, shared + 1) if label[place - 1] == " "] or [shared]
    whole = [start for start in starts if len(label) - start < VISIBLE]
    enough = [start for start in starts if shared + DIFFERENCE - start < VISIBLE]
    return "…" + label[[*whole, *enough, starts[-1]][0] :]


def _shared(one: str, other: str) -> int:
    """Characters with which both begin."""
    pairs = zip(one, other, strict=False)
    return sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], pairs))


def _lines(text: str) -> list[str]:
    """What a step says, without its output, tags and indentation."""
    text = text.partition(END_OF_CODE)[0]
    for tag in ALL_TAGS:
        text = text.replace(tag, "")
    return [" ".join(line.split()) for line in text.splitlines() if line.strip()]
