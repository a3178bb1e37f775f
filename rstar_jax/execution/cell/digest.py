"""A name for the state that a program has left: equal names mean equal states, as far as can be told.

What cannot be described exactly (objects of the program's own classes, generators, open files) makes a state
that equals no other. So does a program that sets attributes, as those may be a module's. The order of names does not
matter; what is the same object twice does.
"""

from __future__ import annotations

import ast
import hashlib
import sys
import types
from collections.abc import Callable, Iterable, Mapping
from typing import Any

MAX_OBJECTS = 20_000
_PLAIN = (type(None), bool, int, float, complex, str, bytes, type(...), range)
_BY_REPR = ("fractions.Fraction", "decimal.Decimal", "datetime.date", "datetime.datetime", "datetime.timedelta")
_REACHING = {"setattr", "delattr", "exec", "eval", "globals", "vars", "locals", "__import__"}


class Unknown(Exception):
    """Something that cannot be described."""


def digest(namespace: Mapping[str, Any], body: Iterable[ast.stmt], printed: Iterable[str]) -> str:
    """32 hex digits for the names of a program, its libraries' settings and what it printed; "" if unknown."""
    if any(map(_may_reach_out, body)):
        return ""
    describe = _Description()
    try:
        for name in sorted(namespace):
            if not (name.startswith("__") and name.endswith("__")):
                describe.add(name)
                describe.add(namespace[name])
        describe.add([list(printed), _settings()])
    except (Unknown, RecursionError, MemoryError):
        return ""
    return describe.digest()


def _may_reach_out(statement: ast.stmt) -> bool:
    """Whether a statement may change more than names and the objects that they hold."""
    for node in ast.walk(statement):
        if isinstance(node, ast.Attribute) and not isinstance(node.ctx, ast.Load):
            return True
        if isinstance(node, ast.Name) and node.id in _REACHING:
            return True
    return False


def _settings() -> list[Any]:
    """State outside the names that programs do change, of the libraries that are loaded."""
    found: list[Any] = [sys.getrecursionlimit(), sys.get_int_max_str_digits()]
    readers: dict[str, Callable[[Any], Any]] = {
        "random": lambda module: module.getstate(),
        "decimal": lambda module: repr(module.getcontext()),
        "mpmath": lambda module: (module.mp.prec, module.iv.prec),
        "numpy": lambda module: repr((module.random.get_state(), module.get_printoptions(), module.geterr())),
    }
    for name, read in readers.items():
        if name in sys.modules:
            found += [name, read(sys.modules[name])]
    return found


class _Description:
    """A hash over values, fed in a canonical order. Each object is described once, then referred to."""

    def __init__(self) -> None:
        self._hash = hashlib.blake2b(digest_size=16)
        self._seen: dict[int, int] = {}
        self._alive: list[Any] = []  # an id must not come to mean another object

    def digest(self) -> str:
        return self._hash.hexdigest()

    def add(self, value: Any) -> None:
        kind = type(value)
        if kind in _PLAIN:
            self._feed(kind.__name__, repr(value) if kind is not int else hex(value))
            return
        if id(value) in self._seen:
            self._feed("again", str(self._seen[id(value)]))
            return
        if len(self._seen) >= MAX_OBJECTS:
            raise Unknown
        self._seen[id(value)] = len(self._seen)
        self._alive.append(value)
        self._feed(f"{kind.__module__}.{kind.__qualname__}", "")
        self._add_object(value, kind)

    def _add_object(self, value: Any, kind: type) -> None:
        if kind in (list, tuple):
            self._add_all(value)
        elif kind is dict:
            self._add_all(part for item in value.items() for part in item)
        elif kind in (set, frozenset):
            self._feed("set", repr(sorted(map(_alone, value))))
        elif kind is types.FunctionType:
            closure = [cell.cell_contents for cell in value.__closure__ or ()]
            self._add_all([value.__code__, value.__defaults__, value.__kwdefaults__, closure, value.__dict__])
        elif kind is types.CodeType:
            names = [value.co_names, value.co_varnames, value.co_freevars, value.co_cellvars]
            self._add_all([value.co_code, value.co_consts, value.co_exceptiontable, value.co_flags, names])
        elif isinstance(value, types.ModuleType):
            self._feed("module", value.__name__)
        elif isinstance(value, types.BuiltinFunctionType) and isinstance(value.__self__, types.ModuleType):
            self._feed("function", f"{value.__module__}.{value.__name__}")
        elif isinstance(value, type):
            self._add_class(value)
        elif f"{kind.__module__}.{kind.__qualname__}" in _BY_REPR:
            self._feed("repr", repr(value))
        else:
            self._add_of_library(value, kind)

    def _add_class(self, value: type) -> None:
        if value.__module__ in ("__main__", None):
            raise Unknown
        self._feed("class", f"{value.__module__}.{value.__qualname__}")

    def _add_of_library(self, value: Any, kind: type) -> None:
        if kind.__module__ == "numpy" and kind.__name__ == "ndarray" and not value.dtype.hasobject:
            self._feed(str(value.dtype), f"{value.shape} {hashlib.blake2b(value.tobytes()).hexdigest()}")
        elif "sympy" in sys.modules and isinstance(value, sys.modules["sympy"].Basic):
            self._feed("sympy", sys.modules["sympy"].srepr(value))
        else:
            raise Unknown

    def _add_all(self, values: Iterable[Any]) -> None:
        for value in values:
            self.add(value)
        self._feed("end", "")

    def _feed(self, kind: str, text: str) -> None:
        self._hash.update(f"{len(kind)} {kind} {len(text)} {text}".encode("utf-8", "surrogatepass"))


def _alone(value: Any) -> str:
    description = _Description()
    description.add(value)
    return description.digest()
