"""Programs in 4 to 10 steps: the pieces of a few features, shuffled like cards, and now and then an error."""

from __future__ import annotations

import random

from .features import ERRORS, FEATURES, SLOW_FEATURES, Piece

Program = tuple[str, ...]


def programs(count: int, seed: int = 0) -> list[Program]:
    """The first `count` different programs of a seed; a larger count begins with the same."""
    generator = random.Random(seed)
    found: dict[Program, None] = {}
    while len(found) < count:
        found[program(generator)] = None
    return list(found)


def program(r: random.Random) -> Program:
    """One program."""
    while True:
        chosen = r.sample(FEATURES, r.randint(1, 3))
        if r.random() < 0.25:
            chosen.append(r.choice(SLOW_FEATURES))
        steps = _interleave(r, [feature(r, str(index)) for index, feature in enumerate(chosen)])
        if 4 <= len(steps) <= 10:
            return _unlined(r, steps)


def join(steps: Program) -> str:
    """The text of the whole: one step per line or more, never two steps on one line."""
    return "".join(step if step.endswith("\n") else f"{step}\n" for step in steps[:-1]) + steps[-1]


def _interleave(r: random.Random, stories: list[list[Piece]]) -> list[str]:
    pieces: list[Piece] = []
    stories = [list(story) for story in stories]
    error_at = r.randint(1, 8) if r.random() < 0.15 else None
    while any(stories):
        if len(pieces) == error_at:
            pieces.append(r.choice(ERRORS))
        pieces.append(r.choice([story for story in stories if story]).pop(0))
    return [step for piece in pieces for step in ([piece] if isinstance(piece, str) else piece)]


def _unlined(r: random.Random, steps: list[str]) -> Program:
    """Some steps without a line break at their end, some with a comment or blank lines."""
    return tuple(
        step.removesuffix("\n") if (choice := r.random()) < 0.1
        else f"# a step\n{step}\n" if choice < 0.15 and not step.startswith(" ")
        else step
        for step in steps
    )  # fmt: skip
