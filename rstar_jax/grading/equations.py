"""What an equation says: which name it drops, and its two sides as one expression (rule 11)."""

from __future__ import annotations

from rstar_jax.grading import values
from rstar_jax.grading.expression import Apply, Expression, Symbol, integer, variables
from rstar_jax.grading.forms import Answer, Items, Relation, Value, Word

_COORDINATES = frozenset("xyz")
_INVERSES = tuple(Apply("pow", (Symbol(name), Apply("neg", (integer(1),)))) for name in "fgh")  # f^{-1}(x)


def lone_name(answer: Answer) -> str | None:
    """The name of a single variable, or of a function of variables such as `f(x)`."""
    if not isinstance(answer, Value) or answer.unit:
        return None
    tree = answer.tree
    if isinstance(tree, Symbol):
        return tree.name
    if isinstance(tree, Apply) and tree.head == "mul" and isinstance(tree.args[0], Symbol):
        return f"{tree.args[0].name}()"  # f(x) reads as a product
    if isinstance(tree, Apply) and tree.head == "mul" and tree.args[0] in _INVERSES:
        return "inverse()"
    return None


def droppable(relation: Relation) -> bool:
    """`x=`, `f(x)=`, `(x, y)=` and `|AB|=` name what follows; `2+3=` computes it; `x^2+y^2=` does neither."""
    left, right = relation.sides[0], relation.sides[-1]
    if any(_contradicts(side, right) for side in relation.sides[1:-1]):
        return False
    if isinstance(left, Word):
        return True
    if isinstance(left, Items) and left.brackets == "()":
        return all(lone_name(i) for i in left.items)
    if not isinstance(left, Value):
        return False
    name = lone_name(left)
    if name is not None:
        return not (
            isinstance(right, Value) and isinstance(left.tree, Symbol) and name in variables(right.tree)
        )
    if isinstance(left.tree, Apply) and left.tree.head == "abs":
        return True
    return (
        isinstance(right, Value) and not variables(left.tree) and values.equal(left.tree, right.tree) is True
    )


def _contradicts(side: Answer, right: Answer) -> bool:
    """Whether a step of a chain certainly has another value than its end: `x = 1 = 6`."""
    if not isinstance(side, Value) or not isinstance(right, Value) or variables(side.tree) | variables(right.tree):
        return False
    return values.equal(side.tree, right.tree) is False


def assigned(items: Items) -> list[Answer]:
    """The values of an assignment: by name where the names are coordinates, else as written."""
    relations = [item for item in items.items if isinstance(item, Relation)]
    names = [str(lone_name(relation.sides[0])) for relation in relations]
    if set(names) <= _COORDINATES:
        relations = [relation for _, relation in sorted(zip(names, relations, strict=True), key=lambda pair: pair[0])]
    return [relation.sides[1] for relation in relations]


def assignment(items: Items) -> tuple[str, ...] | None:
    """The names in `x=1, y=2`, if they are distinct."""
    names = [lone_name(i.sides[0]) for i in items.items if isinstance(i, Relation) and i.ops == ("=",)]
    if len(names) == len(items.items) and None not in names and len(set(names)) == len(names):
        return tuple(str(n) for n in names)
    return None


def difference(relation: Relation) -> Expression | None:
    left, right = relation.sides[0], relation.sides[-1]
    if isinstance(left, Value) and isinstance(right, Value):
        return Apply("sub", (left.tree, right.tree))
    return None
