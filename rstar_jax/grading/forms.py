"""Typed structure of an answer: what two answers are compared as."""

from __future__ import annotations

import dataclasses

from rstar_jax.grading.expression import Expression


@dataclasses.dataclass(frozen=True)
class Value:
    """A number or expression with an optional unit (rule 8)."""

    tree: Expression
    unit: str = ""


@dataclasses.dataclass(frozen=True)
class Items:
    """Several answers. Brackets: "" bare list, "{}" set, else as written, such as "[)" (rule 9)."""

    brackets: str
    items: tuple[Answer, ...]


@dataclasses.dataclass(frozen=True)
class Interval:
    """Ends are trees; an infinite end is always open."""

    low: Expression
    high: Expression
    low_open: bool
    high_open: bool


@dataclasses.dataclass(frozen=True)
class Region:
    """A union of intervals, with the variable if one was named (rule 10)."""

    parts: tuple[Interval, ...]
    variable: str = ""


@dataclasses.dataclass(frozen=True)
class Relation:
    """A chain of equations and inequalities: sides[0] ops[0] sides[1] ... (rule 11)."""

    sides: tuple[Answer, ...]
    ops: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Matrix:
    rows: tuple[tuple[Answer, ...], ...]


@dataclasses.dataclass(frozen=True)
class Ratio:
    """3:4, or the time 6:30, with am or pm as its unit."""

    parts: tuple[Value, ...]
    time: bool
    unit: str = ""


@dataclasses.dataclass(frozen=True)
class Based:
    """Digits with a base as subscript (label rule 8)."""

    digits: str
    base: str


@dataclasses.dataclass(frozen=True)
class Word:
    """Words, lower case, single spaces (rule 12); `raw` keeps the case for products of letters."""

    text: str
    raw: str


Answer = Value | Items | Region | Relation | Matrix | Ratio | Based | Word
