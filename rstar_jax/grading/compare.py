"""Comparison of two typed structures: the rules of each pair of types.

True, False, or None where the first stage cannot tell. A pair of types without a rule is unequal.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from fractions import Fraction

from rstar_jax.grading import builders, equations, regions, units, values
from rstar_jax.grading.expression import Apply, Symbol, integer, variables
from rstar_jax.grading.forms import (
    Answer,
    Based,
    Interval,
    Items,
    Matrix,
    Ratio,
    Region,
    Relation,
    Value,
    Word,
)
from rstar_jax.grading.lexer import Unreadable
from rstar_jax.grading.limits import MAX_ITEMS, MAX_PAIRWISE, TooHard
from rstar_jax.grading.parser import parse
from rstar_jax.grading.vocabulary import EMPTY_WORDS
from rstar_jax.grading.written import split_word

Truth = bool | None


def equal(gold: Answer, answer: Answer) -> Truth:
    """Whether `answer` means `gold`."""
    gold, answer = _plain(gold), _plain(answer)
    if gold == answer:
        return True
    if isinstance(gold, Word) or isinstance(answer, Word):
        return _words(gold, answer)
    if isinstance(gold, Relation) or isinstance(answer, Relation):
        return _relations(gold, answer)
    if isinstance(gold, Region) or isinstance(answer, Region):
        return _regions(gold, answer)
    if isinstance(gold, Matrix) or isinstance(answer, Matrix):
        return _matrices(gold, answer)
    if isinstance(gold, Ratio) or isinstance(answer, Ratio):
        return _ratios(gold, answer)
    if isinstance(gold, Value) and isinstance(answer, Value):
        return _values(gold, answer)
    if isinstance(gold, Items) and isinstance(answer, Items):
        return _items(gold, answer)
    return False


def _plain(answer: Answer) -> Answer:
    """A lone element of a list or set is the element; so are equal elements (rule 16)."""
    if not isinstance(answer, Items) or answer.brackets not in ("", "{}") or not answer.items:
        return answer
    if len(answer.items) > MAX_ITEMS:
        raise TooHard("long list")
    unique = _distinct(answer.items)
    if len(unique) == 1 and not _nested(answer, unique[0]):
        return _plain(unique[0])
    return Items(answer.brackets, tuple(unique))


def _nested(outer: Items, inner: Answer) -> bool:
    """The set of a set is another set: that of the empty set has an element."""
    return outer.brackets == "{}" and isinstance(inner, Items) and inner.brackets == "{}"


def _distinct(items: Sequence[Answer]) -> list[Answer]:
    """Without repetitions: exact numbers by lookup, the others pairwise."""
    kept: list[Answer] = []
    rest: list[Answer] = []  # those of `kept` that are no exact numbers
    known: set[Fraction] = set()
    for item in items:
        number = _exact(item)
        if number in known or any(
            equal(other, item) for other in (_few(rest) if number is not None else kept)
        ):
            continue
        if number is None:
            rest = _few([*rest, item])
        else:
            known.add(number)
        kept.append(item)
    return kept


def _exact(item: Answer) -> Fraction | None:
    """The number, where equality is equality of fractions: no decimal, no unit."""
    return values.exact(item.tree) if isinstance(item, Value) and not item.unit else None


def _few(items: list[Answer]) -> list[Answer]:
    """What has to be compared pairwise has to be little."""
    if len(items) > MAX_PAIRWISE:
        raise TooHard("long list")
    return items


def all_true(truths: Sequence[Truth]) -> Truth:
    """False as soon as one is false, else None if one is unknown."""
    if any(t is False for t in truths):
        return False
    return None if any(t is None for t in truths) else True


def _values(gold: Value, answer: Value) -> Truth:
    if gold.unit == "percent":
        if answer.unit not in ("", "percent"):
            return False
        same = values.equal(gold.tree, answer.tree)
        if same is False and not answer.unit:
            return values.is_percent_of(gold.tree, answer.tree)
        return same
    if not units.agree(gold.unit, answer.unit):
        return False
    if variables(gold.tree) != variables(answer.tree):
        return _letter_unit(gold, answer)
    return values.equal(gold.tree, answer.tree)


def _letter_unit(gold: Value, answer: Value) -> Truth:
    """A unit without a text mark (`12 m`) reads as a product; it meets `12\\text{ m}`."""
    for quantity, product in ((gold, answer), (answer, gold)):
        if not quantity.unit or product.unit:
            continue
        left = variables(product.tree) - variables(quantity.tree)
        for letters in units.as_products(quantity.unit):
            if variables(letters) == left:
                return values.equal(Apply("mul", (quantity.tree, letters)), product.tree)
    return values.equal(gold.tree, answer.tree)  # x - x + 1 holds no x


def _items(gold: Items, answer: Items) -> Truth:
    unordered = ("", "{}")
    if gold.brackets in unordered and answer.brackets in (*unordered, "[]"):
        if not gold.brackets and equations.assignment(gold):
            return _assigned(gold, answer)
        return _same_elements(gold.items, answer.items)
    if not gold.brackets and answer.brackets == "()" and equations.assignment(gold):
        return _ordered(equations.assigned(gold), answer.items)
    if gold.brackets == "()" and not answer.brackets and equations.assignment(answer):
        return _ordered(gold.items, equations.assigned(answer))
    if gold.brackets != answer.brackets:
        return False
    return _ordered(gold.items, answer.items)


def _assigned(gold: Items, answer: Items) -> Truth:
    if equations.assignment(answer):
        return _same_elements(gold.items, answer.items)
    return _ordered(equations.assigned(gold), answer.items)


def _ordered(gold: Sequence[Answer], answer: Sequence[Answer]) -> Truth:
    if len(gold) != len(answer):
        return False
    return all_true([equal(a, b) for a, b in zip(gold, answer, strict=True)])


def _same_elements(gold: Sequence[Answer], answer: Sequence[Answer]) -> Truth:
    """As sets (label rule 5): exact numbers by lookup, the others pairwise."""
    if max(len(gold), len(answer)) > MAX_ITEMS:
        raise TooHard("long list")
    wanted, left = _distinct(gold), _distinct(answer)
    if len(wanted) != len(left):
        return False
    common = {_exact(item) for item in wanted} & {_exact(item) for item in left} - {None}
    wanted = [item for item in wanted if _exact(item) not in common]
    left = [item for item in left if _exact(item) not in common]
    unsure = False
    for item in _few(wanted):
        truths = [equal(item, other) for other in left]
        if True in truths:
            left.pop(truths.index(True))
        elif None in truths:
            unsure = True
        else:
            return False
    return None if unsure else not left


def _matrices(gold: Answer, answer: Answer) -> Truth:
    first, second = builders.rows_of(gold), builders.rows_of(answer)
    if not isinstance(gold, Matrix):
        first, second = second, first
    one = gold if isinstance(answer, Matrix) else answer
    if not isinstance(one, Matrix | Items) or first is None or second is None:
        return False
    if isinstance(one, Items) and one.brackets != "[]":
        other = answer if one is gold else gold
        if not isinstance(other, Matrix) or len(other.rows) != 1:
            return False
        row = Items("[]", other.rows[0])  # `[[1, 2]]` printed for a list
        return equal(gold, row) if one is gold else equal(row, answer)
    if [len(r) for r in first] != [len(r) for r in second]:
        return False
    return all_true(
        [equal(a, b) for x, y in zip(first, second, strict=True) for a, b in zip(x, y, strict=True)]
    )


def _ratios(gold: Answer, answer: Answer) -> Truth:
    """A time is compare part by part; a ratio by its value, also against a fraction."""
    if isinstance(gold, Ratio) and isinstance(answer, Ratio):
        if len(gold.parts) != len(answer.parts) or not units.agree(gold.unit, answer.unit):
            return False
        if gold.time:
            return all_true([_values(a, b) for a, b in zip(gold.parts, answer.parts, strict=True)])
        return all_true([_same_ratio(gold.parts, answer.parts, n) for n in range(1, len(gold.parts))])
    ratio, other = (gold, answer) if isinstance(gold, Ratio) else (answer, gold)
    if not isinstance(ratio, Ratio) or not isinstance(other, Value) or len(ratio.parts) != 2 or ratio.time:
        return False
    return values.equal(other.tree, Apply("div", (ratio.parts[0].tree, ratio.parts[1].tree)))


def _same_ratio(gold: Sequence[Value], answer: Sequence[Value], n: int) -> Truth:
    return values.equal(
        Apply("mul", (gold[0].tree, answer[n].tree)), Apply("mul", (gold[n].tree, answer[0].tree))
    )


def _words(gold: Answer, answer: Answer) -> Truth:
    if isinstance(gold, Word) and isinstance(answer, Word):
        if gold.text in EMPTY_WORDS and answer.text in EMPTY_WORDS:
            return True
        if _short(gold) or _short(answer):
            return gold.text == answer.text or (_short(gold) and _short(answer) and gold.raw == answer.raw)
        return gold.text == answer.text or _glued(gold) == _glued(answer)
    word, other = (gold, answer) if isinstance(gold, Word) else (answer, gold)
    assert isinstance(word, Word)
    if isinstance(other, Items) and not other.items:
        return word.text in EMPTY_WORDS
    if isinstance(other, Based):
        return False
    product = _product(word)
    if product is not None and isinstance(other, Value):
        return _values(product, other) if isinstance(gold, Word) else _values(other, product)
    return False


def _glued(word: Word) -> str:
    """Its letters only: collegemath has lost its spaces (`Notafunction`)."""
    return re.sub(r"[\W_]", "", word.raw.lower())


def _short(word: Word) -> bool:
    return len(word.raw) <= 3


def _product(word: Word) -> Value | None:
    """`ab` as a times b: only when it meets an expression."""
    if not word.raw.isalpha() or not word.raw.isascii():
        return None
    try:
        return Value(parse(split_word(word.raw)))
    except Unreadable:
        return None


def _regions(gold: Answer, answer: Answer) -> Truth:
    first, second = _joined(gold), _joined(answer)
    if isinstance(gold, Value) and gold.tree == Symbol("reals"):
        first = regions.REALS
    if isinstance(answer, Value) and answer.tree == Symbol("reals"):
        second = regions.REALS
    if first is None or second is None:
        return False
    if first.variable and second.variable and first.variable != second.variable:
        return False
    return regions.same_parts(first, second)


def _joined(answer: Answer) -> Region | None:
    """The region of an answer, also of intervals in a list and of a distance from zero."""
    if isinstance(answer, Items) and not answer.brackets and all(map(_is_interval, answer.items)):
        found = regions.union(list(answer.items))
        return found if isinstance(found, Region) else None
    return (_distance(answer) if isinstance(answer, Relation) else None) or regions.to_region(answer)


def _is_interval(item: Answer) -> bool:
    if isinstance(item, Items):
        return len(item.items) == 2 and item.brackets[:1] in ("(", "[")
    return isinstance(item, Region)


def _distance(relation: Relation) -> Region | None:
    """`|x| < 3` and `|x| > 3`, with a positive bound."""
    if len(relation.ops) != 1 or relation.ops[0][0] not in "<>":
        return None
    left, bound = relation.sides
    if not isinstance(left, Value) or not isinstance(bound, Value) or variables(bound.tree):
        return None
    tree, high, low = left.tree, bound.tree, Apply("neg", (bound.tree,))
    if not isinstance(tree, Apply) or tree.head != "abs" or not isinstance(tree.args[0], Symbol):
        return None
    if values.order(high, integer(0)) != 1:
        return None
    opened, inside = len(relation.ops[0]) == 1, relation.ops[0][0] == "<"
    if inside:
        return Region((Interval(low, high, opened, opened),), tree.args[0].name)
    ends = (regions.MINUS_INFINITY, low), (high, regions.INFINITY)
    below, above = Interval(*ends[0], True, opened), Interval(*ends[1], opened, True)
    return Region((below, above), tree.args[0].name)


def _relations(gold: Answer, answer: Answer) -> Truth:
    """Rule 11 for equations, rule 10 for inequalities."""
    if isinstance(gold, Relation) and isinstance(answer, Relation):
        return _two_relations(gold, answer)
    relation, other = (gold, answer) if isinstance(gold, Relation) else (answer, gold)
    assert isinstance(relation, Relation)
    if set(relation.ops) != {"="}:
        region = _joined(relation)
        if region is None or not isinstance(other, Region | Items):
            return False
        return _regions(region, other)
    if not equations.droppable(relation):
        return False
    bare = relation.sides[-1]
    return equal(bare, other) if relation is gold else equal(other, bare)


def _two_relations(gold: Relation, answer: Relation) -> Truth:
    if set(gold.ops) == {"="} and set(answer.ops) == {"="}:
        return _two_equations(gold, answer)
    first, second = _joined(gold), _joined(answer)
    if first is not None and second is not None:
        same = _regions(first, second)
        if same or not (_bounds_vary(first) or _bounds_vary(second)):
            return same
    return _two_inequalities(gold, answer)


def _bounds_vary(region: Region) -> bool:
    return any(variables(end) for part in region.parts for end in (part.low, part.high))


def _two_equations(gold: Relation, answer: Relation) -> Truth:
    names = equations.lone_name(gold.sides[0]), equations.lone_name(answer.sides[0])
    if None not in names and equations.droppable(gold) and equations.droppable(answer):
        same = equal(gold.sides[-1], answer.sides[-1])
        if names[0] == names[1]:
            if same is not False:
                return same
        elif same and any(str(n).endswith("()") for n in names):
            return True  # f(x) = .. and y = ..
    if len(gold.sides) > 2 or len(answer.sides) > 2:
        return _ordered(gold.sides, answer.sides) or None
    differences = equations.difference(gold), equations.difference(answer)
    if differences[0] is None or differences[1] is None:
        if _ordered(gold.sides, answer.sides) or _ordered(gold.sides, answer.sides[::-1]):
            return True
        return None if _ordered(gold.sides, answer.sides) is None else False
    return values.proportional(differences[0], differences[1])


def _two_inequalities(gold: Relation, answer: Relation) -> Truth:
    if len(gold.ops) != 1 or len(answer.ops) != 1:
        return all_true([gold.ops == answer.ops, _ordered(gold.sides, answer.sides)])
    first, second = equations.difference(gold), equations.difference(answer)
    if first is None or second is None:
        return None
    if gold.ops[0][0] != answer.ops[0][0]:
        if regions.flipped(gold.ops[0]) != answer.ops[0]:
            return False
        second = Apply("neg", (second,))
    elif gold.ops != answer.ops:
        return False
    return values.proportional(first, second, positive=gold.ops[0] != "!=")
