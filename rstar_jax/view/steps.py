"""The text of a step in parts: prose, code in tokens with colours, and the tags between them.

A part is [kind, content]. kind: "prose" or "tag" with a string, "code" with a flat list of class, text, class, text …
that joins to the code again. Classes: c comment, s string, n number, k keyword, b builtin, f name that is defined; ""
for the rest.
"""

from __future__ import annotations

import functools
import re
from typing import Any

from pygments.lexer import Lexer
from pygments.lexers.python import PythonLexer
from pygments.token import Token, _TokenType

from rstar_jax.search.tree import NO_PARENT, Tree
from rstar_jax.trajectory.steps import split_closing
from rstar_jax.trajectory.tags import ALL_TAGS, CODE, END_OF_CODE, END_OF_OUTPUT, OUTPUT

Part = list[Any]

_TAGS = re.compile(f"({'|'.join(map(re.escape, ALL_TAGS))})")
_CODE_KINDS = ("step", "code", "error")
_CLASSES = {
    Token.Comment: "c",
    Token.Literal.String: "s",
    Token.Literal.Number: "n",
    Token.Keyword: "k",
    Token.Operator.Word: "k",
    Token.Name.Builtin: "b",
    Token.Name.Exception: "b",
    Token.Name.Function: "f",
    Token.Name.Class: "f",
    Token.Name.Decorator: "f",
}


def step_parts(tree: Tree) -> list[list[Part]]:
    """The parts of every node's text, without the output that was appended to it."""
    inside: list[bool] = []  # whether a node leaves a code block open
    found = []
    for node, parent in enumerate(tree.parent):
        text = _without_output(tree.text[node], tree.output[node])
        begins_inside = parent != NO_PARENT and inside[parent]
        parts, ends_inside = _split(text, begins_inside)
        if tree.config.reading == "released" and tree.kind[node] in _CODE_KINDS and not _has_code(parts):
            parts = _code(text)  # this reading takes a text without any tag for code (item 22)
        inside.append(ends_inside)
        found.append(parts)
    return found


def code_tokens(code: str) -> list[str]:
    """Class, text, class, text, …; neighbours of one class are one."""
    tokens: list[str] = []
    for _, kind, text in _lexer().get_tokens_unprocessed(code):
        name = _class_of(kind)
        if tokens and (tokens[-2] == name or text.isspace()):
            tokens[-1] += text
        else:
            tokens += [name, text]
    return tokens


def _split(text: str, inside: bool) -> tuple[list[Part], bool]:
    parts: list[Part] = []
    body, closed, rest = text.partition(END_OF_CODE)
    if not inside:
        prose, opened, body = body.partition(CODE)
        parts += _prose(prose)
        if not opened:
            return parts + _prose(closed + rest), False
        parts.append(["tag", opened])
    return parts + _code(body) + _prose(closed + rest), not closed


def _code(text: str) -> list[Part]:
    body, tag = split_closing(text)
    return [["code", code_tokens(body)]] * bool(body) + [["tag", tag]] * bool(tag)


def _prose(text: str) -> list[Part]:
    pieces = _TAGS.split(text)  # tags are at odd places
    return [["tag" if place % 2 else "prose", piece] for place, piece in enumerate(pieces) if piece]


def _has_code(parts: list[Part]) -> bool:
    return any(kind == "code" for kind, _ in parts)


def _without_output(text: str, output: str) -> str:
    return text.removesuffix(f"\n{OUTPUT}{output}{END_OF_OUTPUT}")


def _class_of(kind: _TokenType) -> str:
    return next((name for known, name in _CLASSES.items() if kind in known), "")


@functools.cache
def _lexer() -> Lexer:
    return PythonLexer()
