"""The lenient grader of the published code, written from its rules and not from its text (upstream semantics
item 26).

Any of three graders suffices, in either order of the arguments, raw or stripped of units:
1. string: the MATH and PRM800K normal form of the text, without units, wrappers and `x =`;
2. Qwen style: numbers up to a factor of 100 either way at relative 1e-4, brackets dropped, equations up to
sign;
3. MARIO style: numbers at relative 1e-3, lists and intervals element by element, one hit in a list enough.
What the published graders hand to `eval` is read by our own parser here; nothing is executed.
"""

from __future__ import annotations

import re
from typing import Any

from rstar_jax.grading import regions, structure
from rstar_jax.grading.alternatives import golds
from rstar_jax.grading.equations import difference
from rstar_jax.grading.exact import Undefined
from rstar_jax.grading.expression import Apply, Expression, variables
from rstar_jax.grading.first_stage import Verdict, is_error
from rstar_jax.grading.forms import Answer, Based, Items, Matrix, Ratio, Region, Relation, Value, Word
from rstar_jax.grading.lexer import Unreadable
from rstar_jax.grading.limits import MAX_ITEMS, TooHard
from rstar_jax.grading.normalise import clean
from rstar_jax.grading.sampling import sample
from rstar_jax.grading.words import plain

QWEN_RELATIVE = 1e-4
MARIO_RELATIVE = 1e-3
FACTORS = (1, 100, 0.01)
_SYMBOLIC_POINTS = 3
_LEFT_HAND = re.compile(r"^[A-Za-z]{1,2}(?:\([a-z]\))?=")
_TEXT_UNIT = re.compile(r"(?<=.)\\(?:text|mbox|mathrm)\{[^{}]*\}(?:\^\{?\d\}?)?")
_MARKS = re.compile(r"\^\{?\\circ\}?|\\?%|\\?\$|\\!|\s|\\(?:left|right)|[{}]")
_LETTER_UNITS = re.compile(r"(?<![\\A-Za-z])[acghmpst](?![A-Za-z])")


def released_verdict(answer: str, truth: str) -> Verdict:
    """Whether the lenient union accepts; "unknown" where neither text nor structure could be read."""
    verdicts = {_one(answer, gold) for gold in golds(truth)}
    return "equal" if "equal" in verdicts else "unknown" if "unknown" in verdicts else "different"


def _one(answer: str, truth: str) -> Verdict:
    gold, given = clean(truth), clean(answer)
    if not gold or not given or is_error(given):
        return "different"
    if _strings_match(gold, given):
        return "equal"
    try:
        first, second = structure.read(gold), structure.read(given)
        return "equal" if _match(first, second) or _match(second, first) else "different"
    except (Unreadable, TooHard):
        return "unknown"


def _strings_match(gold: str, given: str) -> bool:
    a, b = _normal_form(gold), _normal_form(given)
    if a == b and a:
        return True
    bare = _LETTER_UNITS.sub("", a), _LETTER_UNITS.sub("", b)
    return bare[0] == bare[1] and any(c.isdigit() or c == "\\" for c in bare[0])


def _normal_form(text: str) -> str:
    """The string grader's text: no units, wrappers, spaces or left-hand side; words in lower case."""
    text = _TEXT_UNIT.sub("", text) or text
    text = text.replace("dfrac", "frac").replace("tfrac", "frac")
    text = _LEFT_HAND.sub("", _MARKS.sub("", plain(text)))
    if text.startswith("."):
        text = "0" + text
    text = re.sub(r"\.0+$", "", text)
    return text.lower()


def _match(gold: Answer, given: Answer) -> bool:
    """The structural graders; brackets, units, signs of comparison and bases do not count."""
    if isinstance(gold, Value) and isinstance(given, Value):
        return _close(gold.tree, given.tree)
    if isinstance(gold, Word) and isinstance(given, Word):
        return gold.text == given.text
    if isinstance(gold, Based | Ratio | Word) or isinstance(given, Based | Ratio | Word):
        return gold == given or (_digits(gold) is not None and _digits(gold) == _digits(given))
    if isinstance(gold, Relation) and isinstance(given, Relation):
        return _relations(gold, given)
    if _is_tuple(gold) and _is_tuple(given):
        return _in_order(gold.items, given.items)  # type: ignore[union-attr]  # both are lists
    if isinstance(gold, Relation) and gold.ops == ("=",) and isinstance(gold.sides[0], Value):
        return _match(gold.sides[-1], given)
    parts = _parts(gold), _parts(given)
    if parts == ([gold], [given]):
        return False  # two things that have no parts, of different types
    if len(parts[0]) > MAX_ITEMS or len(parts[1]) > MAX_ITEMS:
        raise TooHard("long list")
    if len(parts[0]) == len(parts[1]):
        return bool(parts[0]) and _all_found(parts[0], parts[1])
    return len(parts[0]) == 1 and any(_match(parts[0][0], other) for other in parts[1])


def _is_tuple(answer: Answer) -> bool:
    return isinstance(answer, Items) and answer.brackets not in ("", "{}")


def _in_order(first: tuple[Answer, ...], second: tuple[Answer, ...]) -> bool:
    return len(first) == len(second) and all(_match(a, b) for a, b in zip(first, second, strict=True))


def _all_found(first: list[Answer], second: list[Answer]) -> bool:
    left = list(second)
    for wanted in first:
        hit = next((n for n, other in enumerate(left) if _match(wanted, other)), None)
        if hit is None:
            return False
        del left[hit]
    return True


def _parts(answer: Answer) -> list[Answer]:
    """The elements without their brackets; the finite and infinite ends of intervals."""
    if isinstance(answer, Items):
        return list(answer.items)
    if isinstance(answer, Matrix):
        return [cell for row in answer.rows for cell in row]
    region = answer if isinstance(answer, Region) else None
    if isinstance(answer, Relation):
        region = regions.to_region(answer)
    if region is not None:
        return [Value(end) for part in region.parts for end in (part.low, part.high)]
    return [answer]


def _digits(answer: Answer) -> str | None:
    return answer.digits if isinstance(answer, Based) else None


def _relations(gold: Relation, given: Relation) -> bool:
    """Equations up to sign; inequalities by their sides, whatever the sign of comparison says."""
    pairs = list(zip(gold.sides, given.sides, strict=False))
    if len(gold.sides) == len(given.sides) and all(_match(a, b) for a, b in pairs):
        return True
    first, second = difference(gold), difference(given)
    if first is None or second is None or set(gold.ops + given.ops) != {"="}:
        return False
    return _close(first, second) or _close(first, Apply("neg", (second,)))


def _close(gold: Expression, given: Expression) -> bool:
    if gold == given:
        return True
    if variables(gold) or variables(given):
        return variables(gold) == variables(given) and _same_function(gold, given)
    try:
        a, b = sample(gold, 0), sample(given, 0)
    except Undefined:
        return False
    if _near(a, b, MARIO_RELATIVE):
        return True
    return any(_near(a * factor, b, QWEN_RELATIVE) for factor in FACTORS)


def _near(a: Any, b: Any, relative: float) -> bool:
    return abs(a - b) <= relative * abs(a) or abs(a - b) < 1e-12


def _same_function(gold: Expression, given: Expression) -> bool:
    met = 0
    for point in range(_SYMBOLIC_POINTS):
        try:
            a, b = sample(gold, point), sample(given, point)
        except Undefined:
            continue
        if not _near(a, b, QWEN_RELATIVE):
            return False
        met += 1
    return met > 0
