"""Expression trees: numbers, symbols, and operators with arguments.

Operators are plain names: "add", "sub", "mul", "div", "pow", "neg", function names as in Python, and the
marks "degree" and "percent", which matter as units (rule 8) and inside trigonometric functions (rule 14).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from fractions import Fraction


@dataclasses.dataclass(frozen=True)
class Number:
    """A written number. `digits` significant digits and `places` decimals; `decimal` if it has a point."""

    value: Fraction
    digits: int = 0
    places: int = 0
    decimal: bool = False


@dataclasses.dataclass(frozen=True)
class Symbol:
    """A variable or one of the constants pi, e, i, oo."""

    name: str


@dataclasses.dataclass(frozen=True)
class Apply:
    """An operator or function with its arguments."""

    head: str
    args: tuple[Expression, ...]


Expression = Number | Symbol | Apply

CONSTANTS = frozenset({"pi", "e", "i", "oo"})


def integer(value: int) -> Number:
    return Number(Fraction(value), digits=len(str(abs(value))))


def apply(head: str, *args: Expression) -> Apply:
    return Apply(head, args)


def walk(node: Expression) -> Iterator[Expression]:
    """All nodes, without recursion."""
    stack = [node]
    while stack:
        top = stack.pop()
        yield top
        if isinstance(top, Apply):
            stack.extend(top.args)


def variables(node: Expression) -> frozenset[str]:
    return frozenset(n.name for n in walk(node) if isinstance(n, Symbol)) - CONSTANTS


def heads(node: Expression) -> frozenset[str]:
    return frozenset(n.head for n in walk(node) if isinstance(n, Apply))
