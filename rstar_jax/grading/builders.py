"""Objects of Python print: `Matrix([[1, 2]])`, `FiniteSet(1, 2)`, `Interval(0, oo)`, `Eq(x, 5)` (rule 2)."""

from __future__ import annotations

from rstar_jax.grading import regions
from rstar_jax.grading.expression import Number, Symbol
from rstar_jax.grading.forms import Answer, Interval, Items, Matrix, Region, Relation, Value
from rstar_jax.grading.lexer import Unreadable


def build(name: str, args: tuple[Answer, ...]) -> Answer:
    """The answer that the call prints. Unreadable if the arguments do not fit."""
    if name.endswith("atrix") or name == "array":
        return _matrix(args)
    if name.startswith("Interval"):
        return _interval(name, args)
    if name == "Union":
        return regions.union(list(args))
    if name == "Eq" and len(args) == 2:
        return Relation(args, ("=",))
    if name in ("FiniteSet", "set", "frozenset", "EmptySet"):
        return Items("{}", _elements(name, args))
    if name in ("list", "tuple", "Tuple", "Point", "Point2D", "Point3D"):
        return Items("[]" if name == "list" else "()", _elements(name, args))
    raise Unreadable(name)


def _elements(name: str, args: tuple[Answer, ...]) -> tuple[Answer, ...]:
    """`set([1, 2])` has its elements one level deeper."""
    if name in ("set", "frozenset", "list", "tuple") and len(args) == 1 and isinstance(args[0], Items):
        return args[0].items
    return args


def _matrix(args: tuple[Answer, ...]) -> Matrix:
    if len(args) == 3 and isinstance(args[2], Items):  # Matrix(rows, columns, entries)
        columns = _count(args[1])
        entries = args[2].items
        return Matrix(tuple(entries[at : at + columns] for at in range(0, len(entries), columns)))
    rows = rows_of(args[0]) if args else None
    if rows is None:
        raise Unreadable("matrix")
    return Matrix(rows)


def rows_of(answer: Answer) -> tuple[tuple[Answer, ...], ...] | None:
    """The rows of a nested list; a flat list is a column."""
    if isinstance(answer, Matrix):
        return answer.rows
    if not isinstance(answer, Items):
        return ((answer,),)
    rows = [row.items if isinstance(row, Items) and row.brackets == "[]" else (row,) for row in answer.items]
    return tuple(rows) if len({len(row) for row in rows}) == 1 else None


def _count(answer: Answer) -> int:
    if isinstance(answer, Value) and isinstance(answer.tree, Number) and answer.tree.value > 0:
        return int(answer.tree.value)
    raise Unreadable("matrix size")


def _interval(name: str, args: tuple[Answer, ...]) -> Region:
    if len(args) not in (2, 4) or not all(isinstance(a, Value) for a in args):
        raise Unreadable("interval")
    low, high = (a.tree for a in args[:2] if isinstance(a, Value))
    opens = [isinstance(a, Value) and a.tree == Symbol("True") for a in args[2:]]
    left = name in ("Interval.open", "Interval.Lopen") or (len(opens) == 2 and opens[0])
    right = name in ("Interval.open", "Interval.Ropen") or (len(opens) == 2 and opens[1])
    return Region((Interval(low, high, left, right),))
