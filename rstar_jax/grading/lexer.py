"""From plain notation to tokens, LaTeX and Python print alike (rules 2, 4, 5).

Every alternative of the pattern is linear: nested repeats made a prototype hang on prose.
"""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

from rstar_jax.grading.limits import MAX_DEPTH, MAX_TOKENS, TooHard
from rstar_jax.grading.normalise import ROW_END
from rstar_jax.grading.vocabulary import FUNCTIONS, GREEK, PYTHON_ONLY, SYMBOLS, UNITS, listed


class Unreadable(Exception):
    """The text has no reading in the grammar: the first stage does not know."""


Kind = Literal["number", "function", "name", "word", "text", "command", "builder", "op"]


class Token(NamedTuple):
    """`text` is the number, the canonical function or symbol name, the raw word, or the operator."""

    kind: Kind
    text: str


BUILDERS = frozenset(
    {"Matrix", "ImmutableMatrix", "ImmutableDenseMatrix", "MutableDenseMatrix", "array", "matrix", "Interval",
     "Interval.open", "Interval.Lopen", "Interval.Ropen", "Union", "FiniteSet", "Eq", "set", "frozenset",
     "EmptySet",
     "list", "tuple", "Tuple", "Point", "Point2D", "Point3D"}
)  # fmt: skip
_OPERATORS = {
    "cdot": "*", "times": "*", "ast": "*", "div": "/", "pm": "pm", "mp": "mp", "le": "<=", "leq": "<=",
    "leqslant": "<=", "leqq": "<=", "ge": ">=", "geq": ">=", "geqslant": ">=", "geqq": ">=", "lt": "<",
    "gt": ">",
    "ne": "!=", "neq": "!=", "in": "in", "cup": "cup", "bigcup": "cup", "cap": "cap", "setminus": "setminus",
    "backslash": "setminus", "circ": "circ", "degree": "circ", "lfloor": "lfloor", "rfloor": "rfloor",
    "lceil": "lceil", "rceil": "rceil", "lvert": "|", "rvert": "|", "vert": "|", "mid": "|", "langle": "(",
    "rangle": ")", "lbrace": "\\{", "rbrace": "\\}", "lbrack": "[", "rbrack": "]", "approx": "approx",
    "equiv": "equiv", "lor": "or", "vee": "or", "land": "and", "wedge": "and", "colon": ":", "prime": "'",
    "emptyset": "emptyset", "varnothing": "emptyset", "lparen": "(", "rparen": ")", "sim": "approx",
}  # fmt: skip
_STRUCTURE = listed(
    """
    frac dfrac tfrac cfrac sqrt binom dbinom tbinom choose over begin end boxed fbox overline bar hat
    vec tilde underline widehat mathbb to rightarrow Rightarrow implies iff ldots dots cdots angle
    triangle sum int lim prod forall exists not infty pi partial nabla overrightarrow measuredangle bmod
    pmod mod hline dagger star oplus subset subseteq perp parallel text mbox textbf textit textrm mathrm
    mathbf mathit mathsf operatorname rm bf textnormal texttt mathcal boldsymbol hbox bullet otimes
    """
)
_TEXT = listed(
    """
    text mbox textbf textit textrm mathrm mathbf mathit mathsf operatorname textnormal texttt boldsymbol
    hbox
    """
)
_COMMANDS = frozenset(_OPERATORS) | _STRUCTURE | GREEK | frozenset(f for f in FUNCTIONS if f.islower())
_LONGEST = max(map(len, _COMMANDS)) + 1
_UPRIGHT_FUNCTIONS = frozenset(
    f for f in FUNCTIONS if f.islower() and f not in PYTHON_ONLY and f not in UNITS
)
_FRACTIONS = {"dfrac": "frac", "tfrac": "frac", "cfrac": "frac", "dbinom": "binom", "tbinom": "binom"}
_BLACKBOARD = {"R": "reals", "Z": "integers", "N": "naturals", "Q": "rationals", "C": "complexes"}

_EXPONENT = r"(?:[eE][+-]?\d+(?![\d.]))?"
_PATTERN = re.compile(
    r"(?P<space>\s+)"
    r"|(?P<repeating>\d*\.\d*\\overline\s*\{?\d+\}?)"
    r"|(?P<grouped>\d{1,3}(?:,\d{3}){1,12}(?![\d,])(?:\.\d+)?|\d{1,3}(?: \d{3}){1,12}(?!\d|\s*[/\\]))"
    rf"|(?P<number>(?:\d+\.\d+|\.\d+|\d+\.(?![\w.])|\d+){_EXPONENT})"
    r"|(?P<command>\\[A-Za-z]+)"
    r"|(?P<escaped>\\.)"
    r"|(?P<dotted>[A-Za-z]+(?:\.[A-Za-z_]\w*)+(?=\())"
    r"|(?P<letters>(?:log2|log10|float64|int64|float32|int32)(?=\s*\()|[A-Za-z]+)"
    rf"|(?P<op>\*\*|<=|>=|==|!=|\|\||{ROW_END}|.)",
    re.DOTALL,
)
BRACES = re.compile(r"\\.|[{}]", re.DOTALL)  # an escaped brace is text
_GLUED_CONNECTIVE = re.compile(r"(or|and)([xyzn])$")  # collegemath has lost its spaces
_OPEN, _CLOSE = frozenset({"(", "[", "\\{"}), frozenset({")", "]", "\\}"})


def tokens(text: str) -> list[Token]:
    """The tokens of a cleaned text; TooHard beyond the cap."""
    out: list[Token] = []
    at, depth = 0, 0
    while at < len(text):
        if len(out) > MAX_TOKENS:
            raise TooHard("too many tokens")
        match = _PATTERN.match(text, at)
        assert match is not None  # the last alternative takes any character
        assert match.lastgroup is not None
        kind, piece, at = match.lastgroup, match.group(), match.end()
        if kind == "grouped" and ("," in piece and depth > 0):
            piece = re.match(r"\d+", piece).group()  # type: ignore[union-attr]  # a comma in brackets separates
            at = match.start() + len(piece)
            kind = "number"
        if kind == "command":
            at = _command(text, piece[1:], at, out)
        elif kind != "space":
            out.extend(_plain(kind, piece, text, at))
        if out:
            depth += (out[-1].text in _OPEN and kind != "space") - (
                out[-1].text in _CLOSE and kind != "space"
            )
    return out


def _command(text: str, name: str, at: int, out: list[Token]) -> int:
    """Appends the token of a command, split at the longest known one (rule 5); returns where to go on."""
    if name not in _COMMANDS:
        known = next(
            (name[:n] for n in range(min(len(name), _LONGEST) - 1, 1, -1) if name[:n] in _COMMANDS), None
        )
        if known is None:
            out.append(Token("command", name))
            return at
        at -= len(name) - len(known)
        name = known
    if name in _TEXT or name == "mathbb":
        return _text_argument(text, name, at, out)
    name = _FRACTIONS.get(name, name)
    if name in _OPERATORS:
        out.append(Token("op", _OPERATORS[name]))
    elif name in ("rm", "bf", "mathcal"):
        pass
    elif name in ("sqrt",) or name in _STRUCTURE - {"infty", "pi"}:
        out.append(Token("command", name))
    elif name in FUNCTIONS and name not in PYTHON_ONLY:
        out.append(Token("function", FUNCTIONS[name]))
    else:
        out.append(Token("name", SYMBOLS.get(name, name)))
    return at


def _text_argument(text: str, name: str, at: int, out: list[Token]) -> int:
    """`\\text{..}` becomes one token, or what it holds if that is a letter, a function or a connective."""
    match = re.compile(r"\s*\{").match(text, at)
    if match is None:
        return at
    end = closing_brace(text, match.end() - 1)
    if end is None:
        raise Unreadable("unbalanced braces")
    content = text[match.end() : end].strip().rstrip(".")
    if name == "mathbb" and content in _BLACKBOARD:
        out.append(Token("name", _BLACKBOARD[content]))
    elif content.lower() in ("or", "and"):
        out.append(Token("op", content.lower()))
    elif content in (",", ";"):
        out.append(Token("op", ","))
    elif content in _UPRIGHT_FUNCTIONS or (name == "operatorname" and content in FUNCTIONS):
        out.append(Token("function", FUNCTIONS[content]))
    elif len(content) == 1 and content.isalpha() and name not in ("text", "mbox") and content not in UNITS:
        out.append(Token("name", SYMBOLS.get(content, content)))
    elif content:
        out.append(Token("text", content))
    return end + 1


def _plain(kind: str, piece: str, text: str, at: int) -> list[Token]:
    if kind == "number" and text[at : at + 1] == "j" and not text[at + 1 : at + 2].isalpha():
        return [Token("number", piece), Token("op", "*"), Token("name", "i")]
    if kind in ("number", "repeating"):
        return [Token("number", piece)]
    if kind == "grouped":
        return [Token("number", piece.replace(",", "").replace(" ", ""))]
    if kind == "dotted":
        return _letters(piece if piece in BUILDERS else piece.rpartition(".")[2], True)
    if kind == "letters":
        if piece == "j" and text[at - 2 : at - 1].isdigit():
            return []  # the j of 2j went with its number
        return _letters(piece, text[at : at + 1] == "(" or text[at : at + 2] == " (")
    if kind == "escaped":
        return [Token("op", {"\\%": "%", "\\$": "$", "\\&": "&", "\\|": "|"}.get(piece, piece))]
    return [Token("op", {"==": "=", "||": "|", "^": "^"}.get(piece, piece))]


def _letters(run: str, called: bool) -> list[Token]:
    if run.lower() in ("or", "and"):
        return [Token("op", run.lower())]
    if glued := _GLUED_CONNECTIVE.match(run):
        return [Token("op", glued[1]), Token("name", glued[2])]
    if run in BUILDERS and (called or run == "EmptySet"):
        return [Token("builder", run)]
    if run in FUNCTIONS and (called or run not in PYTHON_ONLY) and (called or run not in ("min", "max")):
        return [Token("function", FUNCTIONS[run])]
    if run in SYMBOLS or run in GREEK or len(run) == 1:
        return [Token("name", SYMBOLS.get(run, run))]
    return [Token("word", run)]


def closing_brace(text: str, start: int) -> int | None:
    """Index of the brace that closes the one at `start`; TooHard if they nest without end."""
    depth = 0
    for match in BRACES.finditer(text, start):
        depth += (match.group() == "{") - (match.group() == "}")
        if depth == 0:
            return match.start()
        if depth > MAX_DEPTH:
            raise TooHard("nesting")
    return None
