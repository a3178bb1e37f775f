"""From tokens to the typed structure of an answer (rules 8 to 13)."""

from __future__ import annotations

import itertools
import re

from rstar_jax.grading import builders, parser, regions, units, words
from rstar_jax.grading.brackets import Tokens, enclosed, environment, is_op, split
from rstar_jax.grading.expression import Apply, Symbol, integer
from rstar_jax.grading.forms import Answer, Based, Items, Matrix, Ratio, Relation, Value, Word
from rstar_jax.grading.lexer import Token, Unreadable, closing_brace, tokens
from rstar_jax.grading.limits import MAX_ITEMS, MAX_SIGNS, TooHard
from rstar_jax.grading.normalise import ROW_END, clean
from rstar_jax.grading.vocabulary import listed

_BASED = re.compile(
    r"(?:\(?\\text\{)?\(?\s*(-?[0-9A-Z]+(?:\.[0-9A-Z]+)?)\s*\)?\}?_\{?\s*(?:\\text\{)?\s*(\d+|[a-z]+)\s*\}?\}?$"
)
_WHOLE_TEXT = re.compile(r"\\(?:text|mbox|boxed|fbox|textbf|mathbf|mathrm|textit|bm|boldsymbol)\s*(?=\{)")
_RELATIONS = frozenset({"=", "<", ">", "<=", ">=", "!=", "approx", "equiv"})
_CHANGING = listed(
    """
    not no minus negative less more greater at least most over under than between except plus times half
    twice
    """
)
_MAX_NESTED = 12


def read(text: str) -> Answer:
    """The structure of a cleaned text. Unreadable or TooHard if the grammar or the caps do not cover it."""
    text = unwrap(text)
    if match := _BASED.match(text):
        base = words.number_word(match[2]) if match[2].isalpha() else int(match[2])
        if base is not None and (match[1][0].isdigit() or len(match[1]) > 1):
            return Based(match[1].lstrip("0") or "0", str(base))
    value = words.number_word(words.plain(text)) if text[-1:].isalpha() or text.endswith("}") else None
    if value is not None:
        return Value(integer(value))
    return _read(tokens(text), text, 0)


def unwrap(text: str) -> str:
    """Without `\\text{..}`, `\\boxed{..}` or braces around the whole (rule 1)."""
    for _ in range(_MAX_NESTED):
        match = _WHOLE_TEXT.match(text)
        start = match.end() if match else 0
        if text[start : start + 1] != "{" or closing_brace(text, start) != len(text) - 1:
            return text
        inside = text[start + 1 : -1].strip()
        if not match and re.search(r"[,|:]", inside):  # {1, 2} is a Python set
            return text
        text = clean(inside) or ""
    raise TooHard("nesting")


def _read(toks: Tokens, text: str, nested: int) -> Answer:
    """`text` is the source of all of `toks`, or "" for a part."""
    if nested > _MAX_NESTED:
        raise TooHard("nesting")
    if not toks:
        raise Unreadable("empty")
    if len(toks) == 1 and toks[0].kind == "text":
        return read_text(toks[0].text, nested)
    separated = _separated(toks, nested)
    if separated is not None:
        return separated
    if any(is_op(t, "pm", "mp") for t in toks):
        return Items("", tuple(_read(t, "", nested + 1) for t in _signs(toks)))
    for reading in (_union, _membership, _colon, _relation, _bracketed, _built, _environment):
        answer = reading(toks, nested)
        if answer is not None:
            return answer
    return _value_or_word(toks, text, nested)


def read_text(content: str, nested: int) -> Answer:
    value = words.number_word(content)
    if value is not None:
        return Value(integer(value))
    inner = tokens(clean(content) or "")
    if all(t.kind in ("word", "text") for t in inner):
        return Word(words.normal(content), words.plain(content))
    return _read(inner, content, nested + 1)


def _separated(toks: Tokens, nested: int) -> Answer | None:
    """Lists by comma, semicolon, `and`, `or` (rule 9)."""
    prose = all(t.kind in ("word", "text") or is_op(t, "and", "or", ",", "'", ".", "?", "!") for t in toks)
    if prose and any(t.kind == "word" for t in toks):
        return None  # its commas separate clauses
    pieces, marks = split(toks, lambda t: is_op(t, ",", ";", "or", "and"))
    if not marks:
        return None
    pieces = [p for p in pieces if p]
    if any(t.text == "," for t in marks) and len(marks) == 1 and len(pieces) == 1:
        return _read(pieces[0], "", nested + 1)
    items = tuple(_read(p, "", nested + 1) for p in pieces)
    return regions.combine(items, any_of=any(t.text == "or" for t in marks)) or Items("", _flat(items))


def _flat(items: tuple[Answer, ...]) -> tuple[Answer, ...]:
    """A plus-minus element is several elements."""
    return tuple(
        inner
        for item in items
        for inner in (item.items if isinstance(item, Items) and not item.brackets else (item,))
    )


def _signs(toks: Tokens) -> list[Tokens]:
    """Every reading of the plus-minus signs; all minus-plus signs go against the first."""
    places = [at for at, t in enumerate(toks) if is_op(t, "pm")]
    if not places:
        raise Unreadable("minus-plus alone")
    if len(places) > MAX_SIGNS:
        raise TooHard("signs")
    readings = []
    for choice in itertools.product("+-", repeat=len(places)):
        signed = list(toks)
        for at, sign in zip(places, choice, strict=True):
            signed[at] = Token("op", sign)
        opposite = "-" if choice[0] == "+" else "+"
        readings.append([Token("op", opposite) if is_op(t, "mp") else t for t in signed])
    return readings


def _union(toks: Tokens, nested: int) -> Answer | None:
    pieces, marks = split(toks, lambda t: is_op(t, "cup", "setminus"))
    if not marks:
        return None
    items = [_read(p, "", nested + 1) for p in pieces]
    if all(is_op(m, "cup") for m in marks):
        return regions.union(items)
    if len(items) == 2:
        return regions.without(items[0], items[1])
    raise Unreadable("mixed set operations")


def _membership(toks: Tokens, nested: int) -> Answer | None:
    """`x \\in A` is A; `x in A` of Python print too."""
    if len(toks) > 2 and toks[0].kind == "name" and (is_op(toks[1], "in") or toks[1] == Token("word", "in")):
        return regions.named(_read(toks[2:], "", nested + 1), toks[0].text)
    return None


def _colon(toks: Tokens, nested: int) -> Answer | None:
    pieces, marks = split(toks, lambda t: is_op(t, ":"))
    if not marks or not all(pieces):
        return None
    if all(t.kind in ("word", "text", "name") for t in pieces[0]) and any(
        t.kind != "name" for t in pieces[0]
    ):
        return _read(toks[len(pieces[0]) + 1 :], "", nested + 1)  # "Solution: .."
    if len(pieces) == 2 and (stated := _statement(pieces, nested)) is not None:
        return stated
    pieces[-1], unit = units.suffix(pieces[-1])
    parts = tuple(Value(parser.parse(p)) for p in pieces)
    clock = all(len(p) == 1 and p[0].kind == "number" for p in pieces) and all(
        len(p[0].text) == 2 for p in pieces[1:]
    )
    return Ratio(parts, time=clock, unit=unit)


def _statement(pieces: list[Tokens], nested: int) -> Answer | None:
    """`x<-7:(-\\infty,-7)` states its answer twice: take the interval (rule 10)."""
    if not any(is_op(t, *_RELATIONS) for t in pieces[0]):
        return None
    return _read(pieces[1], "", nested + 1)


def _relation(toks: Tokens, nested: int) -> Answer | None:
    pieces, marks = split(toks, lambda t: is_op(t, *_RELATIONS))
    if not marks:
        return None
    if not pieces[0] and marks[0].text == "=":
        return _read(toks[1:], "", nested + 1)
    if not all(pieces):
        raise Unreadable("half a relation")
    pieces[0] = _after_prose(pieces[0])
    sides = tuple(_side(p, nested + 1) for p in pieces)
    return Relation(sides, tuple({"approx": "=", "equiv": "="}.get(m.text, m.text) for m in marks))


def _side(toks: Tokens, nested: int) -> Answer:
    answer = _read(toks, "", nested)
    if isinstance(answer, Word) and len(answer.raw) > 3 and " " in answer.raw:
        raise Unreadable("prose in a relation")
    return answer


def _after_prose(toks: Tokens) -> Tokens:
    """`All real numbers $a > 2$`: the words before the mathematics go, unless they change what is said."""
    start = 0
    while start < len(toks) - 1 and toks[start].kind in ("word", "text"):
        start += 1
    leading = " ".join(t.text.lower() for t in toks[:start]).split()
    if start and not _CHANGING & set(leading) and (start > 1 or len(leading) > 1 or len(toks[0].text) > 3):
        return toks[start:]
    return toks


def _bracketed(toks: Tokens, nested: int) -> Answer | None:
    found = enclosed(toks)
    if found is None:
        return None
    opening, inside, closing = found
    if opening in ("{", "\\{"):
        return _braced(opening, inside, nested)
    pieces, marks = split(inside, lambda t: is_op(t, ",", ";"))
    if not marks:
        if len(inside) == 1 and inside[0].kind == "text":
            return read_text(inside[0].text, nested)
        return _read(inside, "", nested + 1) if (opening, closing) in (("(", ")"), ("[", "]")) else None
    if any(is_op(t, "pm") for t in inside):
        return Items("", tuple(_read(t, "", nested + 1) for t in _signs(toks)))
    if not pieces[-1]:  # (x,) of Python print
        pieces = pieces[:-1]
    items = tuple(_read(p, "", nested + 1) for p in pieces)
    return items[0] if len(items) == 1 else Items(opening + closing, items)


def _braced(opening: str, inside: Tokens, nested: int) -> Answer:
    if not inside:
        return Items("{}", ())
    pieces, marks = split(inside, lambda t: is_op(t, "|", ":"))
    if len(marks) == 1 and _names_elements(pieces[0]):
        condition = _read(pieces[1], "", nested + 1)
        return regions.named(condition, pieces[0][0].text)
    if len(marks) == 1 and is_op(marks[0], ":"):  # {x: 5} of Python print
        return Relation((_read(pieces[0], "", nested + 1), _read(pieces[1], "", nested + 1)), ("=",))
    pieces, marks = split(inside, lambda t: is_op(t, ",", ";"))
    if marks and any(any(is_op(t, ":") for t in p) for p in pieces):  # {x: 5, y: 6}
        return Items("", tuple(_braced(opening, p, nested) for p in pieces))
    items = tuple(_read(p, "", nested + 1) for p in pieces if p)
    return items[0] if len(items) == 1 and opening == "{" else Items("{}", _flat(items))


def _names_elements(toks: Tokens) -> bool:
    """`x` or `x \\in \\mathbb{R}` in front of the condition of a set."""
    return len(toks) in (1, 3) and toks[0].kind == "name" and (len(toks) == 1 or is_op(toks[1], "in"))


def _built(toks: Tokens, nested: int) -> Answer | None:
    if toks[0].kind != "builder":
        return None
    found = enclosed(toks[1:])
    if toks[0].text == "EmptySet" and (len(toks) == 1 or found is not None):
        return Items("{}", ())
    if found is None:
        raise Unreadable("builder")
    pieces, _ = split(found[1], lambda t: is_op(t, ","))
    return builders.build(toks[0].text, tuple(_read(p, "", nested + 1) for p in pieces if p))


def _environment(toks: Tokens, nested: int) -> Answer | None:
    """Matrices of every kind (rule 13)."""
    if toks[0] != Token("command", "begin"):
        return None
    name, body, rest = environment(toks)
    if rest or name not in ("matrix", "pmatrix", "bmatrix", "Bmatrix", "vmatrix", "array", "smallmatrix"):
        raise Unreadable(name)
    rows, _ = split(body, lambda t: is_op(t, ROW_END))
    cells = [split(row, lambda t: is_op(t, "&"))[0] for row in rows if row]
    if sum(map(len, cells)) > MAX_ITEMS:
        raise TooHard("large matrix")
    return Matrix(tuple(tuple(_read(c, "", nested + 1) for c in row) for row in cells))


def _value_or_word(toks: Tokens, text: str, nested: int) -> Answer:
    if len(toks) == 1 and is_op(toks[0], "emptyset"):
        return Items("{}", ())
    if (region := regions.everything(toks)) is not None:
        return region
    if all(t.kind in ("word", "text") or is_op(t, "'", ".", "-", "?", "!", ",") for t in toks):
        raw = " ".join(t.text for t in toks)
        return Word(words.normal(raw), raw)
    try:
        return _value(toks)
    except Unreadable:
        bare = _after_prose(toks)
        if len(bare) < len(toks):
            return _read(bare, "", nested + 1)
        if text and sum(t.kind in ("word", "text") for t in toks) * 2 > len(toks):
            return Word(words.normal(text), words.plain(text))
        raise


def _value(toks: Tokens) -> Value:
    toks, money = units.currency(toks)
    toks, unit = units.suffix(toks)
    tree = parser.parse(toks)
    if isinstance(tree, Apply) and tree.head == "percent":
        return Value(tree.args[0], "percent")
    if isinstance(tree, Apply) and tree.head == "degree":
        return Value(tree.args[0], "degree")
    return Value(tree, unit or money)


def symbol_name(answer: Answer) -> str | None:
    """The name if the answer is a single variable."""
    if isinstance(answer, Value) and isinstance(answer.tree, Symbol) and not answer.unit:
        return answer.tree.name
    return None
