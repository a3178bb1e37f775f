"""The plain way to run a program: the whole text at once, in a process that has run nothing before.

Starting an interpreter for each of thousands of programs would take an hour, so one that has the libraries loaded is
forked for each; it shares no code with the executor. Run as a script it serves: a list of programs as a line of JSON
in, a list of [ok, output] out.
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from collections.abc import Sequence

Result = tuple[bool, str]


class Peer:
    """A serving process, as those see it who ask. Remembers its answers."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-s", "-P", __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={"PYTHONHASHSEED": "0", "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "LANG": "C.UTF-8"},
        )
        self._known: dict[str, Result] = {}

    def run(self, programs: Sequence[str]) -> list[Result]:
        """What each prints, and whether it ends well."""
        new = list({program: None for program in programs if program not in self._known})
        if new:
            assert self._process.stdin is not None
            assert self._process.stdout is not None
            print(json.dumps(new), file=self._process.stdin, flush=True)
            answers = json.loads(self._process.stdout.readline())
            self._known |= {program: tuple(answer) for program, answer in zip(new, answers, strict=True)}
        return [self._known[program] for program in programs]

    def close(self) -> None:
        """End the process."""
        self._process.communicate("")


def serve() -> None:
    """Answer until the input ends."""
    for name in ("collections", "decimal", "fractions", "itertools", "math", "random", "numpy", "sympy"):
        importlib.import_module(name)
    sys.modules["numpy"].random.seed(0)
    for line in sys.stdin:
        print(json.dumps([run_in_fork(program) for program in json.loads(line)]), flush=True)


def run_in_fork(program: str) -> Result:
    """One program in a copy of this process."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        with open(writer, "w", encoding="utf-8") as file:
            json.dump(run(program), file)
        os._exit(0)
    os.close(writer)
    with open(reader, encoding="utf-8") as file:
        text = file.read()
    os.waitpid(pid, 0)
    ok, output = json.loads(text)
    return ok, output


def run(program: str) -> Result:
    """The executor's promise in plain words: all that is printed, else a last expression's value; errors by name."""
    import ast
    import io
    import random
    import types

    random.seed(0)  # os.fork has seeded it from the system
    main = sys.modules["__main__"] = types.ModuleType("__main__")
    sys.stdout = printed = io.StringIO()
    try:
        tree = ast.parse(program)
        if tree.body and isinstance(tree.body[-1], ast.Expr):
            target = ast.copy_location(ast.Name("_last_", ast.Store()), tree.body[-1])
            tree.body[-1] = ast.copy_location(ast.Assign([target], tree.body[-1].value), tree.body[-1])
        exec(compile(tree, "<unknown>", "exec", dont_inherit=True), vars(main))
        value = vars(main).get("_last_")
        text = printed.getvalue() or ("" if value is None else str(value))
    except Exception as error:
        return False, f"{type(error).__name__}: {error}"
    return True, text.rstrip("\n")


if __name__ == "__main__":
    serve()
