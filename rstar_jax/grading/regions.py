"""Intervals, inequalities and their unions in one form (rule 10)."""

from __future__ import annotations

import dataclasses
import itertools

from rstar_jax.grading import values
from rstar_jax.grading.brackets import Tokens
from rstar_jax.grading.expression import Apply, Expression, Symbol, variables
from rstar_jax.grading.forms import Answer, Interval, Items, Region, Relation, Value
from rstar_jax.grading.lexer import Unreadable

INFINITY = Symbol("oo")
MINUS_INFINITY = Apply("neg", (INFINITY,))
REALS = Region((Interval(MINUS_INFINITY, INFINITY, True, True),))
_FLIPPED = {"<": ">", ">": "<", "<=": ">=", ">=": "<=", "=": "=", "!=": "!="}
_EVERYTHING = frozenset(
    {"all real numbers", "all reals", "all real", "real numbers", "reals", "the real numbers"}
)


def flipped(op: str) -> str:
    """The same comparison read from the right."""
    return _FLIPPED[op]


def everything(toks: Tokens) -> Region | None:
    text = " ".join(t.text.lower() for t in toks)
    return REALS if text in _EVERYTHING else None


def to_region(answer: Answer) -> Region | None:
    """The region that an answer describes, if it is one: an interval, an inequality, a set of points."""
    if isinstance(answer, Region):
        return answer
    if isinstance(answer, Items):
        return _from_items(answer)
    if isinstance(answer, Relation):
        return _from_chain(answer)
    if isinstance(answer, Value) and not answer.unit:
        return Region((_point(answer.tree),))
    return None


def _from_items(items: Items) -> Region | None:
    trees = [item.tree for item in items.items if isinstance(item, Value)]
    if len(trees) != len(items.items):
        return None
    if items.brackets == "{}":
        return Region(tuple(map(_point, trees)))
    if len(trees) == 2 and items.brackets:
        return Region((Interval(trees[0], trees[1], items.brackets[0] == "(", items.brackets[1] == ")"),))
    return None


def _point(tree: Expression) -> Interval:
    return Interval(tree, tree, False, False)


def _from_chain(chain: Relation) -> Region | None:
    """`a < x <= b`, `x > a`, `a >= x`, `x != a`, where x is one variable and the bounds do not hold it."""
    trees = [side.tree for side in chain.sides if isinstance(side, Value)]
    if len(trees) != len(chain.sides) or "=" in chain.ops:
        return None
    if len(trees) == 2:
        return _one_sided(trees[0], chain.ops[0], trees[1])
    if len(trees) == 3 and isinstance(trees[1], Symbol):
        first, second = _FLIPPED[chain.ops[0]], chain.ops[1]
        if first[0] == "<" and second[0] == ">":
            trees, first, second = [trees[2], trees[1], trees[0]], second, first
        if first[0] == ">" and second[0] == "<":
            part = Interval(trees[0], trees[2], first == ">", second == "<")
            return Region((part,), trees[1].name)  # type: ignore[union-attr]  # checked above
    return None


def _one_sided(left: Expression, op: str, right: Expression) -> Region | None:
    if not _free(left, right):
        left, op, right = right, _FLIPPED[op], left
    if not isinstance(left, Symbol) or not _free(left, right):
        return None
    if op == "!=":
        return Region(
            (Interval(MINUS_INFINITY, right, True, True), Interval(right, INFINITY, True, True)), left.name
        )
    if op[0] == "<":
        return Region((Interval(MINUS_INFINITY, right, True, op == "<"),), left.name)
    return Region((Interval(right, INFINITY, op == ">", True),), left.name)


def _free(left: Expression, right: Expression) -> bool:
    """Whether `left` is a variable that `right` does not hold."""
    return isinstance(left, Symbol) and left.name in variables(left) and left.name not in variables(right)


def named(answer: Answer, variable: str) -> Answer:
    """The set that a named variable ranges over."""
    if isinstance(answer, Value) and answer.tree == Symbol("reals"):
        return dataclasses.replace(REALS, variable=variable)
    region = to_region(answer) if not isinstance(answer, Value) else None
    if region is None or (isinstance(answer, Items) and answer.brackets == "{}"):
        return answer
    return dataclasses.replace(region, variable=region.variable or variable)


def combine(items: tuple[Answer, ...], any_of: bool) -> Answer | None:
    """Inequalities in a list: their union for `or`, else what holds for all. None if they are no
    inequalities.

    `x < 1 and x > 3` is empty taken literally, and its writer meant the union.
    """
    if not all(isinstance(i, Relation | Region) for i in items):
        return None
    found = [to_region(i) for i in items]
    if any(r is None for r in found) or len({r.variable for r in found if r is not None}) != 1:
        return None
    parts = [p for r in found if r is not None for p in r.parts]
    variable = found[0].variable if found[0] is not None else ""
    if not any_of and len(parts) == 2:
        lower = next((p for p in parts if p.high == INFINITY), None)
        upper = next((p for p in parts if p.low == MINUS_INFINITY), None)
        if lower is not None and upper is not None and not _apart(upper, lower):
            return Region((Interval(lower.low, upper.high, lower.low_open, upper.high_open),), variable)
    return Region(tuple(parts), variable)


def _apart(upper: Interval, lower: Interval) -> bool:
    return values.order(upper.high, lower.low) in (-1, 0)


def union(items: list[Answer]) -> Answer:
    if all(isinstance(i, Items) and i.brackets == "{}" for i in items):
        return Items("{}", tuple(inner for i in items if isinstance(i, Items) for inner in i.items))
    found = [REALS if i == Value(Symbol("reals")) else to_region(i) for i in items]
    if any(r is None for r in found):
        raise Unreadable("union of what are no intervals")
    variable = next((r.variable for r in found if r is not None and r.variable), "")
    return Region(tuple(p for r in found if r is not None for p in r.parts), variable)


def without(whole: Answer, holes: Answer) -> Region:
    """The reals without some points."""
    points = to_region(holes)
    if whole not in (REALS, Value(Symbol("reals"))) or points is None:
        raise Unreadable("difference")
    ends = values.ascending([p.low for p in points.parts if p.low == p.high])
    if ends is None or len(ends) != len(points.parts):
        raise Unreadable("difference")
    bounds = [MINUS_INFINITY, *ends, INFINITY]
    return Region(tuple(Interval(a, b, True, True) for a, b in itertools.pairwise(bounds)))


def same_parts(gold: Region, answer: Region) -> bool | None:
    """Whether both are unions of the same intervals; None if it cannot be told."""
    left, unsure = list(answer.parts), False
    if len(gold.parts) != len(left):
        return False
    for wanted in gold.parts:
        truths = [_same_interval(wanted, part) for part in left]
        if True in truths:
            left.pop(truths.index(True))
        elif None in truths:
            unsure = True
        else:
            return False
    return None if unsure else True


def _same_interval(a: Interval, b: Interval) -> bool | None:
    low = _same_end(a.low, a.low_open, b.low, b.low_open)
    high = _same_end(a.high, a.high_open, b.high, b.high_open)
    if low is False or high is False:
        return False
    return None if None in (low, high) else True


def _same_end(a: Expression, a_open: bool, b: Expression, b_open: bool) -> bool | None:
    if a_open != b_open and not (_is_infinite(a) and _is_infinite(b)):
        return False
    return values.equal(a, b)


def _is_infinite(end: Expression) -> bool:
    return end in (INFINITY, MINUS_INFINITY)
