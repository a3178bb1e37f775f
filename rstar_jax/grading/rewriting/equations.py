r"""Rules for equations between exact sums: `x=5`, `y=3x-1`, `f(x)=2x+3`, `x^2+y^2=25` (label rule 6).

Two equations mean the same if one is a multiple of the other; a name on the left may be dropped.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from rstar_jax.grading.rewriting import printing, terms
from rstar_jax.grading.rewriting.labels import Labelled, other, same
from rstar_jax.grading.rewriting.sums import one_change
from rstar_jax.grading.rewriting.terms import Sum

_NAMED = re.compile(r"([a-zA-Z])=(.+)")
_FUNCTION = re.compile(r"([fghFGH])\(([a-z])\)=(.+)")


def rule(gold: str) -> Iterator[Labelled]:
    """Everything that is made of a gold that is one equation."""
    text = terms.compact(gold)
    if text.count("=") != 1:
        return
    if match := _FUNCTION.fullmatch(text):
        yield from _function(match[1], match[2], terms.read(match[3]))
    elif (match := _NAMED.fullmatch(text)) and (right := terms.read(match[2])) and match[1] not in right.names:
        yield from _named(match[1], right)
    else:
        left, right = (terms.read(side) for side in text.split("="))
        if left is not None and right is not None and (left.variables | right.variables):
            yield from _implicit(left, right)


def _named(name: str, right: Sum) -> Iterator[Labelled]:
    text = printing.latex(right)
    yield from same("equation", text, f"{name}={text}", f"{name} = {printing.latex(right, spaced=True)}")
    yield from same("pyout", printing.python(right))
    yield from other("equation", name)
    for changed in one_change(right):
        if changed.value != right.value:
            yield from other("equation", f"{name}={printing.latex(changed)}", printing.latex(changed))
    if not right.variables:
        yield from same("pyout", f"Eq({name}, {printing.python(right)})", f"{{{name}: {printing.python(right)}}}")
        more = printing.latex(Sum((*right.terms, *terms.number(1).terms)))
        yield from other("partial", f"{name}={text}, {name}={more}", rf"{name}=\pm ({text})" if right.terms else more)
        return
    moved = printing.latex(Sum((*terms.scaled(right, -1).terms, *_variable(name).terms)))
    yield from same(
        "equation", f"{text}={name}", f"{moved}=0", f"0={moved}", f"2{name}={printing.latex(terms.scaled(right, 2))}"
    )
    yield from same("pyout", f"{name} = {printing.python(right)}", f"Eq({name}, {printing.python(right)})")
    yield from other("equation", f"{name}=-({text})", f"{moved}=1")
    if right.variables and _exchangeable(name, right):
        (letter,) = right.variables
        turned = Sum(
            tuple(terms.Term(t.coefficient, t.radicand, _renamed(t.letters, letter, name)) for t in right.terms)
        )
        yield from other("equation", f"{letter}={printing.latex(turned)}")


def _variable(name: str) -> Sum:
    return Sum((terms.Term(terms.Fraction(1), 1, ((name, 1),)),))


def _renamed(letters: terms.Letters, old: str, new: str) -> terms.Letters:
    return tuple((new if letter == old else letter, power) for letter, power in letters)


def _exchangeable(name: str, right: Sum) -> bool:
    """Whether `x = ...` with the names exchanged is certainly another equation: one that is not its own inverse."""
    if len(right.variables) != 1:
        return False
    (letter,) = right.variables
    slopes = [t.coefficient for t in right.terms if t.letters == ((letter, 1),) and t.radicand == 1]
    return len(slopes) == 1 and abs(slopes[0]) != 1 and all(t.letters in ((), ((letter, 1),)) for t in right.terms)


def _function(name: str, argument: str, right: Sum | None) -> Iterator[Labelled]:
    if right is None or not right.terms or not right.variables <= {argument}:
        return
    text = printing.latex(right)
    yield from same("equation", text, f"{name}({argument}) = {printing.latex(right, spaced=True)}", f"y={text}")
    yield from same("pyout", printing.python(right))
    for changed in one_change(right):
        if changed.value != right.value and changed.variables <= {argument}:
            yield from other("equation", f"{name}({argument})={printing.latex(changed)}", printing.latex(changed))


def _implicit(left: Sum, right: Sum) -> Iterator[Labelled]:
    texts = printing.latex(left), printing.latex(right)
    difference = _difference(left, right)
    if len(difference.value) < 2 or not difference.simple:
        return
    yield from same("equation", f"{texts[1]}={texts[0]}", f"{printing.latex(difference)}=0")
    doubled = printing.latex(terms.scaled(left, 2)), printing.latex(terms.scaled(right, 2))
    yield from same("equation", f"{doubled[0]}={doubled[1]}", f"{texts[0]} = {texts[1]}")
    yield from same(
        "pyout",
        f"{printing.python(left)} = {printing.python(right)}",
        f"Eq({printing.python(left)}, {printing.python(right)})",
    )
    for changed in one_change(right):
        if changed.value != right.value and not _multiples(_difference(left, changed), difference):
            yield from other("equation", f"{texts[0]}={printing.latex(changed)}")
    for changed in one_change(left):
        if not _multiples(_difference(changed, right), difference):
            yield from other("equation", f"{printing.latex(changed, braced=True)}={texts[1]}")
    yield from other("equation", texts[1] if not right.variables else f"{texts[0]}+{texts[1]}=0")


def _difference(left: Sum, right: Sum) -> Sum:
    return Sum((*left.terms, *terms.scaled(right, -1).terms))


def _multiples(a: Sum, b: Sum) -> bool:
    """Whether one is a rational multiple of the other."""
    first, second = ({(r, names): c for r, names, c in total.value} for total in (a, b))
    return first.keys() == second.keys() and len({first[key] / second[key] for key in first}) == 1
