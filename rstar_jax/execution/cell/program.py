"""A program is the text of its steps; a step may end inside a block that the next one completes."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Sequence

End = tuple[int, int]  # line and column where a statement ends


def join(pieces: Sequence[str]) -> str:
    """The program of several steps: their texts in order, a line break put where two would share a line."""
    source = ""
    for piece in pieces:
        if source and not source.endswith("\n") and not piece.startswith("\n"):
            source += "\n"
        source += piece
    return source


def as_written(source: str) -> str:
    """No cleaning."""
    return source


def without_fence(source: str) -> str:
    """The cleaning of the authors' executor: white space, backticks and a leading "python" go."""
    source = re.sub(r"^(?:\s|`)*(?i:python)?\s*", "", source)
    return re.sub(r"(?:\s|`)*$", "", source)


def statements(source: str) -> list[ast.stmt]:
    """Top-level statements. Raises what the parser raises: SyntaxError, ValueError, RecursionError, ..."""
    return ast.parse(source).body  # the file name in its messages is "<unknown>", as in the released outputs


def statements_after(known: str, source: str) -> list[ast.stmt] | None:
    """Those that `source` has after the program `known`, which it begins with; None if it must be parsed whole.

    What follows a complete program at a line's start and is a complete program itself adds its statements and
    changes none. So a long history need not be parsed again.
    """
    rest = source.removeprefix(known)
    if not source.startswith(known) or not (known.endswith("\n") or rest.startswith("\n")):
        return None
    try:
        return statements("\n" * known.count("\n") + rest)  # with the line numbers of the whole
    except Exception:  # it continues a block, or is wrong: only the whole text can tell
        return None


def ends(body: Sequence[ast.stmt]) -> list[End]:
    """Where the statements end.

    A program that is made longer keeps its statements, except that the last one may grow. So what has been
    run is still the beginning of a longer program exactly when the ends agree.
    """
    return [(node.end_lineno or 0, node.end_col_offset or 0) for node in body]


def longest_program(history: Sequence[str], clean: Callable[[str], str]) -> str:
    """The text of the most steps, from the first, that parse together; "" when none do."""
    for count in range(len(history), 0, -1):
        source = clean(join(history[:count]))
        try:
            statements(source)
        except Exception:  # any failure of the parser means the same: fewer steps
            continue
        return source
    return ""
