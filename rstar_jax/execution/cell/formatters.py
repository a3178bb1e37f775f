"""From a run to what the model is shown: (whether it counts as success, output).

`plain` and `released` show the run of the whole program since the last output block: earlier steps never
showed theirs, so what they printed belongs to this output. In a `notebook` every step has shown its own.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Sequence

from . import program
from .capture import cut
from .interpreter import Trace, describe

MAX_OUTPUT_CHARS = 32_768  # of several prints together
Shown = tuple[bool, str]
_PRINT_ARGUMENTS = re.compile(r"print\((.*?)\)")  # stops at the first ")": "print(f(x))" gives "f(x"


def plain(trace: Trace, keep: int) -> Shown:
    """Everything printed, else a last expression's value as printed; errors as "{type}: {message}"."""
    return _shown(trace, trace.stdouts, keep)


def notebook(trace: Trace, keep: int) -> Shown:
    """As `plain`, of the last step alone. To end the program is no success, since nothing can follow."""
    done = len(program.statements(program.longest_program(trace.history, program.as_written)))
    ok, output = _shown(trace, trace.stdouts[done:], keep)
    return ok and not trace.exited, output


def _shown(trace: Trace, stdouts: Sequence[str], keep: int) -> Shown:
    if trace.error is not None:
        return False, trace.error
    text = "".join(stdouts)
    if not text and stdouts and trace.value is not None:
        try:
            text = str(trace.value)
        except BaseException as error:  # model-written __str__, or an int beyond 4,300 digits
            return False, describe(error)
    if trace.exited and not text:
        return False, "SystemExit: the program ended without output"
    return True, cut(_encodable(text), keep).rstrip("\n")


def released(trace: Trace, keep: int) -> Shown:
    """As the authors' executor prints (branch rStar-math, python_tool.py), bug for bug, save that nothing
    runs twice.

    Up to one print at top level: the value, else the output, of the last statement only. Several: a
    labelled output each, and what follows the last is ignored. A run has failed when its output holds the
    word "error" in any case.
    """
    failure = _failure(trace)
    prints = print_statements(trace.body)
    if failure is not None and (len(prints) < 2 or len(trace.stdouts) - 1 <= prints[-1]):
        return trace.error is not None and "error" not in failure.lower(), failure.strip()
    output = _labelled(trace, prints, keep) if len(prints) > 1 else _last(trace, keep)
    output = output.strip()[:MAX_OUTPUT_CHARS]
    return "error" not in output.lower(), output


def _failure(trace: Trace) -> str | None:
    """What ended the run early. The released code loses a tree to SystemExit; here it fails its own step."""
    return "SystemExit: 0" if trace.exited else trace.error


def _labelled(trace: Trace, prints: Sequence[int], keep: int) -> str:
    return "".join(f"{_label(trace, index)} {_shorten(trace.stdouts[index], keep)}" for index in prints)


def _last(trace: Trace, keep: int) -> str:
    if trace.value is not None:
        try:
            text = str(trace.value)
        except BaseException:
            pass
        else:
            return _shorten(text, keep, rounding=isinstance(trace.value, str))
    return _shorten(trace.stdouts[-1], keep) if trace.stdouts else ""


def _label(trace: Trace, index: int) -> str:
    arguments = _PRINT_ARGUMENTS.findall(ast.get_source_segment(trace.source, trace.body[index]) or "")
    return " ".join(arguments) + ":" if arguments else ""


def _shorten(text: str, keep: int, rounding: bool = True) -> str:
    """Text that reads as a float is rounded to four decimals unless that is longer; then it is cut."""
    if rounding:
        try:
            rounded = f"{round(float(text), 4)}\n"
        except ValueError:
            rounded = text
        text = text if len(text) < len(rounded) else rounded
    return cut(_encodable(text), keep)


def print_statements(body: Sequence[ast.stmt]) -> list[int]:
    """Positions of the statements that the released code takes for prints: print(...) or a block with one."""
    return [index for index, node in enumerate(body) if _prints(node)]


def _prints(node: ast.stmt) -> bool:
    if isinstance(node, ast.Expr):
        call = node.value
        return isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "print"
    if isinstance(node, ast.If | ast.While | ast.For | ast.FunctionDef):
        return any(_prints(inner) for inner in node.body)
    return False


def until_last_print(body: Sequence[ast.stmt]) -> int:
    """How many statements the released code runs: none after the last of several prints."""
    prints = print_statements(body)
    return prints[-1] + 1 if len(prints) > 1 else len(body)


def _encodable(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()


FORMATS: dict[str, Callable[[Trace, int], Shown]] = {"plain": plain, "notebook": notebook, "released": released}
NEEDED: dict[str, Callable[[Sequence[ast.stmt]], int]] = {
    "plain": len,
    "notebook": len,
    "released": until_last_print,
}
CLEANING: dict[str, Callable[[str], str]] = {
    "plain": program.as_written,
    "notebook": program.as_written,
    "released": program.without_fence,
}
