"""Runs a program statement by statement; a longer program can go on from where it is."""

from __future__ import annotations
import __future__

import ast
import dataclasses
import sys
import types
from collections.abc import Callable, Sequence
from typing import Any

from . import digest, program
from .capture import Capture

MAX_MESSAGE_CHARS = 2048


@dataclasses.dataclass
class Trace:
    """One run of a program, before any formatting."""

    source: str
    body: list[ast.stmt]  # top-level statements of the whole program
    stdouts: list[str]  # what each of the statements that were run printed
    error: str | None = None  # "{type}: {message}"; raised by statement len(stdouts) - 1, or by the parser
    exited: bool = False  # the program ended itself by SystemExit with status 0
    value: Any = None  # of the last statement, if it was an expression
    history: tuple[str, ...] = ()  # the steps before the one that was to be run


class Interpreter:
    """The state that the statements so far have left."""

    def __init__(self, keep_chars: int) -> None:
        self._capture = Capture(keep_chars)
        self._module = types.ModuleType("__main__")
        self._source = ""  # the longest program seen that parses, and its statements
        self._body: list[ast.stmt] = []
        self._ends: list[program.End] = []  # of the statements that have been run
        self._stdouts: list[str] = []
        self._flags = 0
        self._error: str | None = None
        self._exited = False
        self._value: Any = None

    def install(self) -> None:
        """Become this process's `__main__` and standard output, for good."""
        sys.modules["__main__"] = self._module
        sys.stdout = sys.__stdout__ = self._capture  # type: ignore[misc, assignment]

    def advance(self, source: str, needed: Callable[[Sequence[ast.stmt]], int] = len) -> Trace | None:
        """Run those of the first `needed(statements)` statements of `source` that have not been run.

        None when those that have been run are not the beginning of `source`: then only a fresh interpreter
        can run it.
        """
        try:
            if not self._parse(source):
                return None
            self._run(self._body[len(self._ends) : needed(self._body)])
        except BaseException as error:
            return Trace(source, [], [], error=describe(error))
        return Trace(source, self._body, self._stdouts, self._error, self._exited, self._value)

    def state(self) -> str:
        """A name for the state, see `digest`; "" if it has none. An error leaves none."""
        if self._error is not None or self._exited or len(self._ends) != len(self._body):
            return ""
        return digest.digest(self._module.__dict__, self._body, self._stdouts)

    def has_run(self, source: str) -> bool:
        """Whether there is nothing left to run of `source`."""
        ended = self._error is not None or self._exited
        return self._source == source and (ended or len(self._ends) == len(self._body))

    def _parse(self, source: str) -> bool:
        """Take over a program's statements; False when those that have been run are not its beginning.

        Raises what the parser raises, and then changes nothing.
        """
        new = program.statements_after(self._source, source) if self._source else None
        if new is None:
            body = program.statements(source)
            if program.ends(body[: len(self._ends)]) != self._ends:
                return False
        else:
            body = self._body + new
        self._source, self._body = source, body
        return True

    def _run(self, new: list[ast.stmt]) -> None:
        # All of it first, also after an error: a program that cannot be compiled does not start.
        if _is_checked_as_a_whole(self._source):
            compile(ast.Module(self._body, []), "<unknown>", "exec", dont_inherit=True)
        compiled = [self._compile(node) for node in new]
        if self._error is not None or self._exited:
            return
        for node, code in zip(new, compiled, strict=True):
            self._ends += program.ends([node])
            self._value = None
            try:
                self._value = eval(code, self._module.__dict__)
            except SystemExit as error:
                self._exited = error.code in (None, 0)
                self._error = None if self._exited else describe(error)
            except BaseException as error:
                self._error = describe(error)
                if isinstance(error, MemoryError):
                    self._module.__dict__.clear()  # leaves room to say so
            self._stdouts.append(self._capture.take())
            if self._error is not None or self._exited:
                return

    def _compile(self, node: ast.stmt) -> types.CodeType:
        if isinstance(node, ast.ImportFrom) and node.module == "__future__":
            for alias in node.names:
                self._flags |= getattr(getattr(__future__, alias.name, None), "compiler_flag", 0)
        if isinstance(node, ast.Expr):
            return compile(ast.Expression(node.value), "<unknown>", "eval", self._flags, True)
        return compile(ast.Module([node], []), "<unknown>", "exec", self._flags, True)


def _is_checked_as_a_whole(source: str) -> bool:
    """Whether the compiler may object to where a statement stands among the others."""
    return "global" in source or "__future__" in source


def describe(error: BaseException) -> str:
    """Type and message, as the released executor writes errors; cut to 2,048 characters."""
    try:
        message = str(error)
    except BaseException as inner:
        message = f"<{type(inner).__name__} while writing the message>"
    message = message.encode("utf-8", "backslashreplace").decode()
    return f"{type(error).__name__}: {message}"[:MAX_MESSAGE_CHARS]
