r"""Rules for lists, sets, tuples and matrices of exact sums (label rule 5).

Lists and sets have no order, tuples and matrices have one; a missing or an extra element is wrong.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from rstar_jax.grading.rewriting import printing, terms
from rstar_jax.grading.rewriting.labels import Labelled, other, same
from rstar_jax.grading.rewriting.sums import one_change
from rstar_jax.grading.rewriting.terms import Sum

_NAME = re.compile(r"([a-z])=(?=[^=]*$)")
_SIGNS = re.compile(r"(.*?)\\pm(.+)")
_MATRIX = re.compile(r"\\begin\{([pb])matrix\}(.*)\\end\{\1matrix\}", re.DOTALL)
_TUPLES = re.compile(r"\([^()]*\)(?:,\([^()]*\))+")
_MAX_ITEMS = 12


def rule(gold: str) -> Iterator[Labelled]:
    """Everything that is made of a gold that is one of these."""
    text = re.sub(r"\\(?:left|right)(?![a-z])", "", gold)
    compact = terms.compact(text)
    if match := _MATRIX.fullmatch(text.strip().removeprefix("$").removesuffix("$")):
        yield from _matrix(match[2])
    elif compact.startswith(r"\{") and compact.endswith(r"\}") and (items := elements(compact[2:-2])):
        yield from _unordered(items, "set")
    elif _TUPLES.fullmatch(compact):
        yield from _list_of_tuples(compact)
    elif re.fullmatch(r"\([^()\[\]]*\)", compact) and (items := elements(compact[1:-1])) and len(items) > 1:
        yield from _ordered(items)
    elif (match := _SIGNS.fullmatch(compact)) and "," not in compact:
        yield from _both_signs(match[1], match[2])
    else:
        yield from _bare(compact)


def elements(text: str) -> list[Sum] | None:
    """The sums between commas, at least one; None if any of them is not certain."""
    found = [terms.read(piece) for piece in text.split(",")]
    if len(found) > _MAX_ITEMS or any(total is None for total in found):
        return None
    return [total for total in found if total is not None]


def _bare(compact: str) -> Iterator[Labelled]:
    """`1,2`, `x=1,2`; a comma of thousands is none."""
    name = _NAME.match(compact)
    body = compact[name.end() :] if name else compact
    if "," not in body or re.fullmatch(r"-?\d{1,3}(?:,\d{3})+", body):
        return
    items = elements(body)
    if items is not None and len(items) > 1:
        yield from _unordered(items, "list", name[1] if name else "x")


def _both_signs(left: str, right: str) -> Iterator[Labelled]:
    name = _NAME.match(left)
    middle = (
        terms.read(left[name.end() :] if name else left) if left and not (name and name.end() == len(left)) else Sum(())
    )
    half = terms.read(right)
    if middle is None or half is None or len(half.terms) != 1 or right.startswith("-"):
        return
    low, high = Sum(middle.terms + terms.scaled(half, -1).terms), Sum(middle.terms + half.terms)
    if not (low.simple and high.simple):
        return
    yield from same("list", *(rf"{printing.latex(middle) if middle.terms else ''}{sign}{printing.latex(half)}"
                              for sign in (r"\pm ", "±")))  # fmt: skip
    yield from _unordered([low, high], "list")


def _unordered(items: Sequence[Sum], kind: str, name: str = "x") -> Iterator[Labelled]:
    """The same elements in another order and other brackets; then other elements."""
    if len({item.value for item in items}) < len(items):
        return
    turned = list(items[::-1])
    for some in (list(items), turned):
        written = [printing.latex(item) for item in some]
        yield from same(
            kind, ", ".join(written), rf"\{{{','.join(written)}\}}", rf"\left\{{{', '.join(written)}\right\}}"
        )
    texts, printed = [printing.latex(i) for i in items], [printing.python(i) for i in turned]
    yield from same("pyout", f"[{', '.join(printed)}]", f"{{{', '.join(printed)}}}", f"FiniteSet({', '.join(printed)})")
    yield from same("unicode", ", ".join(printing.unicode(item) for item in items))
    if len(items) == 2:
        yield from same("list", " and ".join(texts), " or ".join(texts), r"\text{ and }".join(texts))
    if len(items) > 1:
        yield from same("list", ", ".join(f"{name}={t}" for t in texts), f"{name} = {', '.join(texts)}")
        yield from same("list", " or ".join(f"{name} = {t}" for t in texts))
        yield from other("partial", *texts, ", ".join(texts[1:]), rf"\{{{', '.join(texts[:-1])}\}}", f"[{printed[0]}]")
    if all(re.fullmatch(r"\d+", text) for text in texts) and len(items) > 1:
        yield from other(kind, "".join(texts))
    yield from _changed_elements(items, kind)


def _changed_elements(items: Sequence[Sum], kind: str) -> Iterator[Labelled]:
    values = {item.value for item in items}
    for at in sorted({0, len(items) - 1}):
        for changed in one_change(items[at]):
            edited = [*items[:at], changed, *items[at + 1 :]]
            if {item.value for item in edited} != values:
                yield from other(kind, ", ".join(map(printing.latex, edited)))
                yield from other("pyout", f"[{', '.join(map(printing.python, edited))}]")
    extra = _extra(items)
    yield from other("partial", ",".join(map(printing.latex, [*items, extra])))
    yield from other("partial", rf"\{{{', '.join(map(printing.latex, [extra, *items]))}\}}")


def _extra(items: Sequence[Sum]) -> Sum:
    values = {item.value for item in items}
    return next(total for total in map(terms.number, range(1, len(items) + 3)) if total.value not in values)


def _ordered(items: Sequence[Sum]) -> Iterator[Labelled]:
    texts, printed = [printing.latex(i) for i in items], [printing.python(i) for i in items]
    yield from same("tuple", f"({','.join(texts)})", f"({', '.join(texts)})", rf"\left({', '.join(texts)}\right)")
    yield from same("tuple", f"({', '.join(printing.latex(i, 'dfrac') for i in items)})")
    yield from same("pyout", f"({', '.join(printed)})")
    yield from same("unicode", f"({', '.join(map(printing.unicode, items))})")
    if not any(i.variables or "i" in i.names for i in items):
        yield from same("tuple", f"({', '.join(repr(float(printing.real(i))) for i in items)})")
    if len({item.value for item in items}) > 1:
        turned = items[::-1] if items[0].value != items[-1].value else [*items[1:], items[0]]
        if [i.value for i in turned] != [i.value for i in items]:
            yield from other("tuple", f"({', '.join(map(printing.latex, turned))})")
    yield from other("tuple", f"({', '.join([*texts, '0'])})", texts[0], texts[-1], f"({texts[0]})")
    if len(items) > 2:
        yield from other("tuple", f"({', '.join(texts[:-1])})")
    for at in (0, len(items) - 1):
        for changed in one_change(items[at]):
            if changed.value != items[at].value:
                edited = [*items[:at], changed, *items[at + 1 :]]
                yield from other("tuple", f"({', '.join(map(printing.latex, edited))})")


def _list_of_tuples(compact: str) -> Iterator[Labelled]:
    found = [elements(piece) for piece in compact[1:-1].split("),(")]
    tuples = [items for items in found if items is not None]
    keys = [tuple(i.value for i in items) for items in tuples]
    if len(tuples) < len(found) or len(tuples) > _MAX_ITEMS or len(set(keys)) < len(keys):
        return
    written = [f"({', '.join(map(printing.latex, items))})" for items in tuples]
    turned = written[::-1]
    yield from same("tuple_list", ", ".join(turned), rf"\{{{','.join(written)}\}}", f"[{', '.join(turned)}]")
    if len(tuples) == 2:
        yield from same("tuple_list", " and ".join(written), r"\text{ and }".join(turned))
    yield from other("tuple_list", written[0], ", ".join(written[1:]), ", ".join([*written, "(0, 0, 0, 0, 0)"]))
    swapped = [items[::-1] for items in tuples]
    if {tuple(i.value for i in items) for items in swapped} != set(keys):
        yield from other("tuple_list", ", ".join(f"({', '.join(map(printing.latex, items))})" for items in swapped))
    yield from other("tuple_list", f"({', '.join(printing.latex(i) for items in tuples for i in items)})")


def _matrix(body: str) -> Iterator[Labelled]:
    found = [elements(row.replace("&", ",")) for row in body.split(r"\\") if row.strip()]
    rows = [items for items in found if items is not None]
    if len(rows) < len(found) or not rows or len({len(row) for row in rows}) != 1 or "," in body:
        return
    yield from same("matrix", _environment(rows, "pmatrix"), _environment(rows, "bmatrix"))
    yield from same("matrix", rf"\left({_environment(rows, 'matrix')}\right)", _environment(rows, "pmatrix", "dfrac"))
    printed = ", ".join(f"[{', '.join(map(printing.python, row))}]" for row in rows)
    yield from same("pyout", f"Matrix([{printed}])", f"[{printed}]")
    columns = [list(column) for column in zip(*rows, strict=True)]
    if [[i.value for i in row] for row in columns] != [[i.value for i in row] for row in rows]:
        yield from other("matrix", _environment(columns, "pmatrix"))
    yield from other("matrix", _environment([*rows, rows[0]], "pmatrix"))
    for changed in one_change(rows[-1][-1]):
        if changed.value != rows[-1][-1].value:
            yield from other("matrix", _environment([*rows[:-1], [*rows[-1][:-1], changed]], "pmatrix"))


def _environment(rows: Sequence[Sequence[Sum]], name: str, style: printing.Style = "frac") -> str:
    lines = (" & ".join(printing.latex(item, style) for item in row) for row in rows)
    return rf"\begin{{{name}}} " + r" \\ ".join(lines) + rf" \end{{{name}}}"
