"""What the scripted proposer can write: ways of reading a question, methods for what was read, and checks.

A method is told by the step that it writes. Methods leave their result in `r`, to be printed with a check: an
expression that is true if the question, read a second time, says the same as the first time. A guess at the rule of a
sequence prints its result itself, and whether the rule fits all that the question gives.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping
from typing import Literal

Reading = Literal["expression", "numbers", "equation", "times", "terms"]

_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_TIME = re.compile(r"\d\d:\d\d(?::\d\d)?")
_EXPRESSION = re.compile(r"\d+(?:\.\d+)?(?: [-+*/] \d+(?:\.\d+)?)+")
_EQUATION = re.compile(r"[\d*+\- a-z]*\b[a-z]\b[\d*+\- a-z]* = -?\d+$")
_VARIABLE = re.compile(r"\b[a-z]\b")
_TERMS = re.compile(r"-?\d+(?:, -?\d+)+(?=, \?)")


@dataclasses.dataclass(frozen=True)
class Method:
    """One way to get from what was read to `r`; the steps follow each other. `prints`: the last one prints."""

    reading: Reading
    steps: tuple[str, ...] = ()
    prints: bool = False


def _numbers(comment: str, code: str) -> Method:
    return Method("numbers", (f"# {comment}\n{code}",))


def _rule(comment: str, following: str) -> Method:
    """A guess at how a term of a sequence follows from those before it."""
    fits = "all(g(k) == n[k] for k in range(2, len(n)))"
    return Method("terms", (f"# {comment}\ng = lambda k: {following}\nprint(g(len(n)), {fits})",), prints=True)


_MINUTES = (
    "# Convert to minutes\nm = [int(x[:2]) * 60 + int(x[3:5]) for x in t]",
    '# Find the difference\nd = (m[1] - m[0]) % 1440\nr = f"{d // 60:02}:{d % 60:02}"',
)
_SECONDS = (
    "# Convert to seconds\ns = [int(x[:2]) * 3600 + int(x[3:5]) * 60 + int(x[6:]) for x in t]",
    '# Find the difference\nd = (s[1] - s[0]) % 86400\nr = f"{d // 3600:02}:{d // 60 % 60:02}:{d % 60:02}"',
)

METHODS: Mapping[str, Method] = {
    "expression": Method("expression"),
    "gcd": _numbers("Find the greatest common divisor", "import math\nr = math.gcd(*n)"),
    "lcm": _numbers("Find the least common multiple", "import math\nr = math.lcm(*n)"),
    "sum": _numbers("Add the numbers", "r = sum(n)"),
    "product": _numbers("Multiply the numbers", "import math\nr = math.prod(n)"),
    "largest": _numbers("Take the largest number", "r = max(n)"),
    "smallest": _numbers("Take the smallest number", "r = min(n)"),
    "difference": _numbers("Subtract the numbers", "r = n[0] - sum(n[1:])"),
    "fraction": _numbers("Reduce the fraction", "from fractions import Fraction\nr = Fraction(*n)"),
    "angle": _numbers("Subtract from the angle sum", "r = 180 * (len(n) - 1) - sum(n)"),
    "bits": _numbers("Count the ones in binary", 'r = bin(n[-1]).count("1")'),
    "primes": _numbers("Count the primes", "from sympy import primerange\nr = len(list(primerange(n[0], n[-1] + 1)))"),
    "try_values": Method("equation", ("# Try every value\nr = [x for x in range(1, 101) if f(x)][0]",)),
    "add": _rule("Try adding a constant", "n[k - 1] + n[1] - n[0]"),
    "multiply": _rule("Try multiplying by a constant", "n[k - 1] * n[1] // n[0]"),
    "add_previous": _rule("Try adding the previous term", "n[k - 1] + n[k - 2] + n[2] - n[1] - n[0]"),
    "double": _rule("Try doubling and adding", "2 * n[k - 1] + n[1] - 2 * n[0]"),
    "halve": _rule("Try halving and adding", "n[k - 1] // 2 + n[1] - n[0] // 2"),
    "minutes": Method("times", _MINUTES),
    "seconds": Method("times", _SECONDS),
}

FAMILY_METHODS: Mapping[str, tuple[str, ...]] = {
    "chain_sum": ("expression",),
    "products": ("expression",),
    "gcd": ("gcd",),
    "lcm": ("lcm",),
    "fraction_simplification": ("fraction",),
    "simple_geometry": ("angle",),
    "count_bits": ("bits",),
    "count_primes": ("primes",),
    "simple_equations": ("try_values",),
    "number_sequence": ("add", "multiply", "add_previous", "double", "halve"),
    "time_intervals": ("minutes", "seconds"),
}


def read(question: str, reading: Reading) -> str | None:
    """The step that writes down what the question gives; None if it gives nothing of the kind."""
    return _READERS[reading](question)


def check(question: str, reading: Reading) -> str | None:
    """An expression that is true if what was read is what the question gives; None as for `read`."""
    step = read(question, reading)
    if step is None:
        return None
    name, value = step.splitlines()[1].split(" = ", 1)
    return f"({value})(r)" if reading == "equation" else f"{name} == {value}"


def _expression(question: str) -> str | None:
    found = _EXPRESSION.search(question)
    return found and f"# Write the expression\nr = {found.group()}"


def _list(question: str) -> str | None:
    # "3 sides", "first 2", "4-gon" and "1 bits" count things; they are no data of the question.
    data = re.sub(r"\b\d+(?:-gon| sides| interior| bits)|first \d+", "", question)
    found = [number.removesuffix(".0") for number in _NUMBER.findall(data)]
    return f"# Read the numbers\nn = [{', '.join(found)}]" if found else None


def _terms(question: str) -> str | None:
    found = _TERMS.search(question)
    return found and f"# Read the terms\nn = [{found.group()}]"


def _equation(question: str) -> str | None:
    found = _EQUATION.search(question)
    if not found:
        return None
    left, right = found.group().strip().split(" = ")
    variables = _VARIABLE.findall(left)
    return f"# Write the equation\nf = lambda {variables[0]}: {left} == {right}"


def _times(question: str) -> str | None:
    found = _TIME.findall(question)
    quoted = ", ".join(f'"{time}"' for time in found)
    return f"# Read the times\nt = [{quoted}]" if found else None


_READERS: Mapping[Reading, Callable[[str], str | None]] = {
    "expression": _expression,
    "numbers": _list,
    "equation": _equation,
    "times": _times,
    "terms": _terms,
}
