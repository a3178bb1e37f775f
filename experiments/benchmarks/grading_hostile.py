r"""Inputs that make graders hang, crash or count wrongly: towers, nesting, long texts, huge exponents, long lists.

Each is a prediction for a gold of one digit that it certainly does not mean (`match` False), or a pair whose label
nobody needs (None) because only its time is asked for. `roles` turns them round and sets them against themselves.
"""

from __future__ import annotations

from collections.abc import Iterator

from rstar_jax.grading.pairs import Pair

GOLD = "5"
_PROSE = "the answer to this question is still not clear to me and "


def inputs() -> list[Pair]:
    """Every input once, as a prediction; `kind` names it."""
    return [Pair(GOLD, text, False, name) for name, text in (*_large(), *_deep(), *_long(), *_many(), *_broken())]


def roles(pairs: list[Pair]) -> list[Pair]:
    """The inputs as predictions of other golds, as golds, and against themselves."""
    out = list(pairs)
    for pair in pairs:
        out.append(Pair("x^2+1", pair.pred, None, pair.kind))
        out.append(Pair(r"\{1,2\}", pair.pred, None, pair.kind))
        out.append(Pair(pair.pred, GOLD, False, pair.kind))
        out.append(Pair(pair.pred, pair.pred + " ", None, pair.kind))
    return out


def _large() -> Iterator[tuple[str, str]]:
    """Numbers that no memory holds."""
    yield "tower of nines", "9^{9^{9^9}}"
    yield "tower, Python", "9**9**9**9**9"
    yield "tower below", r"\frac{1}{9^{9^{9^9}}}"
    yield "tower of e", "e^{e^{e^{e^{e^{9}}}}}"
    yield "difference of towers", "9^{9^{9}}-9^{9^{9}}+1"
    yield "tower modulo", r"7^{7^{7^{7}}} \bmod 100"
    yield "carets", "2" + "^2" * 300
    yield "factorial of factorial", "((10!)!)!"
    yield "factorials", "10" + "!" * 12
    yield "factorial", "factorial(10**9)"
    yield "binomial", r"\binom{10^{9}}{5\cdot 10^{8}}"
    yield "exponent up", "1e999999999"
    yield "exponent down", "1e-999999999"
    yield "exponent of a decimal", "0.999999^{99999999999}"
    yield "root of large index", r"\sqrt[999999999]{2}"
    yield "large root", r"\sqrt{10^{10^{10}}+1}"
    yield "sine of a tower", r"\sin(10^{10^{10}})"
    yield "logarithm of a tower", r"\ln(10^{10^{10}})"
    yield "cancellation", r"\sqrt{10^{3000}+1}-10^{1500}"
    yield "power of a polynomial", "(((x+1)^{99})^{99})^{99}"
    yield "product of powers", r"2^{99999}\cdot 3^{99999}\cdot 5^{99999}"
    yield "floor of a tower", r"\lfloor 9^{9^{9}}\pi\rfloor"
    yield "sum sign", r"\sum_{k=1}^{10^{9}} k^{k}"
    yield "product sign", r"\prod_{n=1}^{10^{8}}\left(1+\frac{1}{n}\right)"
    yield "integral", r"\int_0^{\infty}\frac{\sin(x^{x^{x}})}{x^{x}}\,dx"
    yield "limit", r"\lim_{n\to\infty}\left(1+\frac{1}{n}\right)^{n!}"


def _deep() -> Iterator[tuple[str, str]]:
    """Brackets and commands inside each other."""
    for depth in (150, 5000):
        yield f"round brackets {depth}", "(" * depth + "1" + ")" * depth
        yield f"braces {depth}", "{" * depth + "1" + "}" * depth
        yield f"fractions {depth}", r"\frac{" * depth + "1" + "}{2}" * depth
        yield f"roots {depth}", r"\sqrt{1+" * depth + "x" + "}" * depth
    yield "square brackets", "[" * 3000 + "1" + "]" * 3000
    yield "exponents", "x^{" * 400 + "2" + "}" * 400
    yield "boxes", r"\boxed{" * 500 + "7" + "}" * 500
    yield "text marks", r"\text{" * 400 + "7" + "}" * 400
    yield "absolute values", "|" * 2001
    yield "left and right", r"\left(" * 400 + "1" + r"\right)" * 400
    yield "sines", r"\sin(" * 500 + "1" + ")" * 500
    yield "mixed brackets", "([{" * 700 + "1" + "}])" * 700


def _long() -> Iterator[tuple[str, str]]:
    """10,000 to 100,000 characters."""
    yield "digits 10k", "7" * 10_000
    yield "digits 100k", "7" * 100_000
    yield "decimals 10k", "0." + "3" * 10_000
    yield "digits over digits", "7" * 9_000 + "/" + "3" * 9_000
    yield "letters 19k", "ab" * 9_500
    yield "letters 100k", "a" * 100_000
    yield "spaces 50k", "7" + " " * 50_000 + "x"
    yield "prose 19k", _PROSE * 330
    yield "prose 100k", _PROSE * 1_800
    yield "minus signs", "-" * 15_001 + "1"
    yield "plus one", "1" + "+1" * 6_000
    yield "commas", "," * 15_000
    yield "commands", r"\frac" * 3_000
    yield "unknown commands", r"\abcdefghijklmnop" * 1_000
    yield "glued commands", "\\" + "leqpialphacotxsinx" * 500
    yield "root signs", "√" * 15_000
    yield "dollar signs", "$" * 15_001
    yield "backslashes", "\\" * 15_001
    yield "thousands", "1" + ",000" * 4_000
    yield "polynomial", "+".join(f"x^{{{n}}}" for n in range(1_500))
    yield "nonsense", "".join(chr(33 + n * n % 90) for n in range(15_000))
    yield "combining marks", "7" + "\u0301" * 10_000
    yield "full-width digits", "７" * 10_000


def _many() -> Iterator[tuple[str, str]]:
    """Lists that invite to compare each with each."""
    yield "set of numbers", "{" + ",".join(map(str, range(3_000))) + "}"
    yield "list of roots", ",".join(rf"\sqrt{{{n}}}" for n in range(2, 150))
    yield "unions", r"\cup".join(f"({n},{n + 1})" for n in range(0, 1_000, 2))
    yield "plus-minus", "+".join([r"\pm 1"] * 20)
    yield "alternatives", " or ".join(f"x={n}" for n in range(500))
    yield "matrix", r"\begin{pmatrix}" + r"\\".join("&".join("1" * 40) for _ in range(40)) + r"\end{pmatrix}"
    yield "equations", ", ".join(f"x_{{{n}}}={n}" for n in range(300))
    yield "variables", "*".join(f"({a}+{b})" for a in "abcdefghij" for b in "klmnopqrst")
    yield "product of sums", "".join(f"(x+{n})" for n in range(40))
    yield "nested radicals", r"\sqrt[3]{2+\sqrt{5}}+\sqrt[3]{2-\sqrt{5}}+5"
    yield "chain", "=".join(["x"] * 800)
    yield "tuple of tuples", "(" + ",".join(["(1,2,(3,4))"] * 200) + ")"


def _broken() -> Iterator[tuple[str, str]]:
    """What would be run by `eval`, and what no reader expects."""
    yield "import", "__import__('os').system('true')"
    yield "comprehension", "[x for x in range(10**12)]"
    yield "lambda", "(lambda f: f(f))(lambda f: f(f))"
    yield "open", "open('/dev/zero').read()"
    yield "null character", "5\x00"
    yield "lone surrogate", "5\ud800"
    yield "control characters", "".join(map(chr, range(1, 32)))
    yield "unbalanced", "{" * 50 + "5"
    yield "quoted list", "['" + "a" * 15_000 + "']"
    yield "quotes", "'" * 5_001
    yield "ends early", r"\frac{1}{"
    yield "subscripts", "x" + "_{1" * 200 + "}" * 200
