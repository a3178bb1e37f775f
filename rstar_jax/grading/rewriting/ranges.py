r"""Rules for intervals, their unions, and inequalities (label rules 5 and 6): brackets and signs count.

`(1,2)` alone may be a point and is left out; `(1,2)\cup(3,4)`, `[1,2)` and whatever has an infinite end is a range.
"""

from __future__ import annotations

import dataclasses
import itertools
import re
from collections.abc import Iterator, Sequence

from rstar_jax.grading.rewriting import printing, terms
from rstar_jax.grading.rewriting.labels import Labelled, other, same
from rstar_jax.grading.rewriting.terms import Sum

_INTERVAL = re.compile(r"([(\[])([^()\[\],]*),([^()\[\],]*)([)\]])")
_MEMBER = re.compile(r"([a-z])\\in(?![a-z])")
_BUILDER = re.compile(r"\\\{([a-z])(?:\\mid|[|:])(.*)\\\}")
_SIGNS = {r"\leqslant": "<=", r"\leq": "<=", r"\le": "<=", "<": "<", r"\geqslant": ">=", r"\geq": ">=", r"\ge": ">=",
          ">": ">", r"\lt": "<", r"\gt": ">"}  # fmt: skip
_SIGN = r"(\\leqslant|\\leq|\\le|\\geqslant|\\geq|\\ge|\\lt|\\gt|<|>)(?![a-z]{2})"
_ONE_SIDED = re.compile(rf"([a-z]){_SIGN}(.+)")
_TWO_SIDED = re.compile(rf"(.+?){_SIGN}([a-z]){_SIGN}(.+)")
_LATEX_SIGN = {"<": "<", "<=": r"\le ", ">": ">", ">=": r"\ge "}
_UNICODE_SIGN = {"<": "<", "<=": "≤", ">": ">", ">=": "≥"}


@dataclasses.dataclass(frozen=True)
class Range:
    """An interval; an end that is None is infinite, and open."""

    low: Sum | None
    high: Sum | None
    low_open: bool
    high_open: bool

    @property
    def key(self) -> tuple[object, ...]:
        low, high = (end.value if end is not None else None for end in (self.low, self.high))
        return low, high, self.low_open, self.high_open


def rule(gold: str) -> Iterator[Labelled]:
    """Everything that is made of a gold that is one of these."""
    text = terms.compact(re.sub(r"\\(?:left|right)(?![a-z])", "", gold))
    name = "x"
    if match := _MEMBER.match(text):
        name, text = match[1], text[match.end() :]
    if (found := _inequality(text)) is not None:
        yield from _labelled([found[1]], found[0], "inequality", found[0])
    elif (parts := _union(text)) is not None and (len(parts) > 1 or _certain(parts[0])):
        yield from _labelled(parts, name, "interval", name if match else "")


def _certain(part: Range) -> bool:
    """Whether it cannot be a point or a list."""
    return part.low is None or part.high is None or part.low_open != part.high_open


def _union(text: str) -> list[Range] | None:
    parts = [_interval(piece) for piece in text.split(r"\cup")]
    found = [part for part in parts if part is not None]
    return found if len(found) == len(parts) and _apart(found) else None


def _interval(text: str) -> Range | None:
    match = _INTERVAL.fullmatch(text)
    if match is None:
        return None
    low = None if match[2] == r"-\infty" else terms.read(match[2])
    high = None if match[3] in (r"\infty", r"+\infty") else terms.read(match[3])
    if (low is None and match[2] != r"-\infty") or (high is None and "infty" not in match[3]):
        return None
    if (low is None and match[1] == "[") or (high is None and match[4] == "]"):
        return None
    part = Range(low, high, match[1] == "(", match[4] == ")")
    return part if _numbers(part) else None


def _numbers(part: Range) -> bool:
    """Whether both ends are numbers in this order."""
    ends = [end for end in (part.low, part.high) if end is not None]
    if any(end.variables or "i" in end.names for end in ends):
        return False
    return len(ends) < 2 or printing.real(ends[0]) < printing.real(ends[1])


def _apart(parts: Sequence[Range]) -> bool:
    """Whether they lie in order without touching closed ends."""
    for left, right in itertools.pairwise(parts):
        if left.high is None or right.low is None:
            return False
        a, b = printing.real(left.high), printing.real(right.low)
        if a > b or (a == b and not (left.high_open and right.low_open)):
            return False
    return True


def _inequality(text: str) -> tuple[str, Range] | None:
    """The variable and its range: `x\\le 5`, `-2<x\\leq 1`, `\\{x|x>4\\}`."""
    if match := _BUILDER.fullmatch(text):
        inside = _inequality(match[2])
        return inside if inside is not None and inside[0] == match[1] else None
    if match := _TWO_SIDED.fullmatch(text):
        signs, ends = (_SIGNS[match[2]], _SIGNS[match[4]]), (terms.read(match[1]), terms.read(match[5]))
        if None in ends or signs[0][0] != signs[1][0]:
            return None
        if signs[0][0] == ">":
            signs, ends = signs[::-1], ends[::-1]
        part = Range(ends[0], ends[1], len(signs[0]) == 1, len(signs[1]) == 1)
        return (match[3], part) if _numbers(part) else None
    if match := _ONE_SIDED.fullmatch(text):
        end, sign = terms.read(match[3]), _SIGNS[match[2]]
        if end is None:
            return None
        opened = len(sign) == 1
        part = Range(None, end, True, opened) if sign[0] == "<" else Range(end, None, opened, True)
        return (match[1], part) if _numbers(part) else None
    return None


def _labelled(parts: Sequence[Range], name: str, kind: str, named: str) -> Iterator[Labelled]:
    """`named` is the variable that the gold names, or nothing."""
    yield from same(kind, *_texts(parts), *(_texts(parts[::-1]) if len(parts) > 1 else ()))
    yield from same(kind, rf"{name}\in {next(_texts(parts))}", *_conditions(parts, name))
    yield from same("unicode", "∪".join(_bracketed(part, "∞").replace("-", "−") for part in parts))
    yield from same("pyout", " U ".join(_bracketed(part, "oo") for part in parts))
    built = ", ".join(_built(part) for part in parts)
    yield from same("pyout", f"Union({built})" if len(parts) > 1 else built)
    for changed in _changes(parts):
        yield from other(kind, next(_texts(changed)), next(_conditions(changed, name)))
    ends = [end for part in parts for end in (part.low, part.high) if end is not None]
    yield from other("partial", *(printing.latex(end) for end in ends))
    if named:
        fresh = "y" if named != "y" else "x"
        yield from other(kind, next(_conditions(parts, fresh)))


def _texts(parts: Sequence[Range]) -> Iterator[str]:
    plain = r"\cup ".join(_bracketed(part, r"\infty") for part in parts)
    yield plain
    yield plain.replace(",", ", ")
    yield plain.replace("(", r"\left(").replace("[", r"\left[").replace(")", r"\right)").replace("]", r"\right]")


def _bracketed(part: Range, infinity: str) -> str:
    write = printing.python if infinity == "oo" else printing.latex
    low = f"-{infinity}" if part.low is None else write(part.low)
    high = infinity if part.high is None else write(part.high)
    return f"{'(' if part.low_open else '['}{low},{high}{')' if part.high_open else ']'}"


def _built(part: Range) -> str:
    low = "-oo" if part.low is None else printing.python(part.low)
    high = "oo" if part.high is None else printing.python(part.high)
    opened = {(True, True): ".open", (True, False): ".Lopen", (False, True): ".Ropen", (False, False): ""}
    return f"Interval{opened[part.low_open, part.high_open]}({low}, {high})"


def _conditions(parts: Sequence[Range], name: str) -> Iterator[str]:
    """As inequalities; the first text is plain."""
    for signs, separator in ((_LATEX_SIGN, " or "), (_LATEX_SIGN, r"\text{ or }"), (_UNICODE_SIGN, " or ")):
        yield separator.join(_condition(part, name, signs) for part in parts)
    if len(parts) == 1:
        yield rf"\{{{name} \mid {_condition(parts[0], name, _LATEX_SIGN)}\}}"
        yield _condition(parts[0], name, {sign: sign for sign in _LATEX_SIGN})


def _condition(part: Range, name: str, signs: dict[str, str]) -> str:
    below, above = signs["<" if part.low_open else "<="], signs["<" if part.high_open else "<="]
    if part.low is not None and part.high is not None:
        return f"{printing.latex(part.low)}{below}{name}{above}{printing.latex(part.high)}"
    if part.low is not None:
        return f"{name}{signs['>' if part.low_open else '>=']}{printing.latex(part.low)}"
    if part.high is not None:
        return f"{name}{above}{printing.latex(part.high)}"
    return rf"{name}\in\mathbb{{R}}"


def _changes(parts: Sequence[Range]) -> Iterator[list[Range]]:
    """Another bracket, an end further out, a side too few, the mirror image."""
    first, last = parts[0], parts[-1]
    if first.low is not None:
        yield [dataclasses.replace(first, low_open=not first.low_open), *parts[1:]]
        yield [dataclasses.replace(first, low=_plus(first.low, -1)), *parts[1:]]
    if last.high is not None:
        yield [*parts[:-1], dataclasses.replace(last, high_open=not last.high_open)]
        yield [*parts[:-1], dataclasses.replace(last, high=_plus(last.high, 1))]
    if len(parts) > 1:
        yield list(parts[1:])
        yield list(parts[:-1])
    elif (first.low is None) != (first.high is None):
        yield [Range(first.high, first.low, first.high_open, first.low_open)]
    mirrored = [_mirrored(part) for part in parts[::-1]]
    if [part.key for part in mirrored] != [part.key for part in parts]:
        yield mirrored


def _plus(total: Sum, step: int) -> Sum:
    """The sum plus an integer, its rational term changed or made."""
    one = terms.number(step).terms[0]
    for at, term in enumerate(total.terms):
        if term.radicand == 1 and not term.letters:
            joined = dataclasses.replace(term, coefficient=term.coefficient + step)
            return Sum((*total.terms[:at], *([joined] if joined.coefficient else []), *total.terms[at + 1 :]))
    return Sum((*total.terms, one))


def _mirrored(part: Range) -> Range:
    low = terms.scaled(part.high, -1) if part.high is not None else None
    high = terms.scaled(part.low, -1) if part.low is not None else None
    return Range(low, high, part.high_open, part.low_open)
