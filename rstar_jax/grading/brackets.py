"""Token lists seen from outside: balanced groups and splitting at the top level."""

from __future__ import annotations

from collections.abc import Callable

from rstar_jax.grading.lexer import Token, Unreadable

Tokens = list[Token]

_OPEN = frozenset({"(", "[", "{", "\\{", "lfloor", "lceil"})
_CLOSE = frozenset({")", "]", "}", "\\}", "rfloor", "rceil"})
_PAIRS = {"(": (")", "]"), "[": ("]", ")"), "{": ("}",), "\\{": ("\\}",)}


def depth_step(token: Token) -> int:
    """+1 for an opening token, -1 for a closing one, of any type: half-open intervals mix brackets."""
    if token.kind == "op":
        return (token.text in _OPEN) - (token.text in _CLOSE)
    if token.kind == "command":
        return (token.text == "begin") - (token.text == "end")
    return 0


def split(tokens: Tokens, is_mark: Callable[[Token], bool]) -> tuple[list[Tokens], list[Token]]:
    """The pieces between top-level marks, and the marks."""
    pieces: list[Tokens] = [[]]
    marks: list[Token] = []
    depth = 0
    for token in tokens:
        depth += depth_step(token)
        if depth == 0 and depth_step(token) == 0 and is_mark(token):
            marks.append(token)
            pieces.append([])
        else:
            pieces[-1].append(token)
        if depth < 0:
            raise Unreadable("unbalanced brackets")
    if depth:
        raise Unreadable("unbalanced brackets")
    return pieces, marks


def is_op(token: Token, *texts: str) -> bool:
    return token.kind == "op" and token.text in texts


def enclosed(tokens: Tokens) -> tuple[str, Tokens, str] | None:
    """(opening, inside, closing) if one pair of brackets encloses everything."""
    if len(tokens) < 2 or tokens[0].kind != "op" or tokens[0].text not in _PAIRS:
        return None
    depth = 0
    for at, token in enumerate(tokens):
        depth += depth_step(token)
        if depth == 0:
            if at == len(tokens) - 1 and token.kind == "op" and token.text in _PAIRS[tokens[0].text]:
                return tokens[0].text, tokens[1:-1], token.text
            return None
    return None


def environment(toks: Tokens) -> tuple[str, Tokens, Tokens]:
    """Name, body and what follows `\\end{name}`."""
    close = next((at for at, t in enumerate(toks) if is_op(t, "}")), 0)
    name = "".join(t.text for t in toks[2:close])
    depth = 0
    for at, token in enumerate(toks):
        depth += (token == Token("command", "begin")) - (token == Token("command", "end"))
        if depth == 0:
            end = next((n for n in range(at, len(toks)) if is_op(toks[n], "}")), len(toks))
            body = [t for t in toks[close + 1 : at] if t != Token("command", "hline")]
            if name == "array" and body and is_op(body[0], "{"):
                body = body[next(n for n, t in enumerate(body) if is_op(t, "}")) + 1 :]
            return name, body, toks[end + 1 :]
    raise Unreadable("open environment")
