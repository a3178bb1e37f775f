"""Outputs: the table of the released executor's rules, the plain ones, and the released data themselves."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from rstar_jax.execution.cell.capture import Capture, cut
from rstar_jax.execution.cell.program import join, longest_program, without_fence
from rstar_jax.search.protocols import Execution
from rstar_jax.trajectory import tags

Expand = Callable[[tuple[str, ...], Sequence[str]], list[Execution]]

RELEASED = [
    # no print at top level: the last statement's value
    ("x = 10\nx", "10"),
    ("x = 10", ""),
    ("", ""),
    ("'text'", "text"),
    ("1 / 3", "0.3333333333333333"),  # only text is rounded
    ("'0.33333333'", "0.3333"),
    ("None", ""),
    ("def f():\n    return 3\nf()", "3"),
    ("with open('/dev/null') as file:\n    print(1)", "1"),  # not a print, but last
    ("10 ** 5000", ""),  # str() fails; what was printed is the fallback
    # one: the output of the last statement only
    ("print(1)", "1"),
    ("print(1)\nx = 2", ""),
    ("print(1)\nx = 2\nx", "2"),
    ("for i in range(3):\n    print(i)", "0\n1\n2"),
    ("def f():\n    print(5)\n    return 7\nf()", "7"),
    ("if True:\n    for i in range(2):\n        print(i)", "0\n1"),
    ("x = [print(i) for i in range(2)]", "0\n1"),
    ("print(0.123456789)", "0.1235"),
    ("print(0.00001234)", "0.0"),
    ("print(84000.0)", "84000.0"),
    ("print(2.5)", "2.5"),
    ("print(4)", "4"),
    ("print(123456789012345678901234567890)", "1.2345678901234568e+29"),
    ("print('1/3')", "1/3"),
    ("print('a' * 2000)", "a" * 512 + "..." + "a" * 511),
    # several: labelled, and nothing after the last
    ("a = 1\nprint('A', a)\nb = 2\nprint(b)", "'A', a: A 1\nb: 2"),
    ("import math\nprint(math.sqrt(4))\nprint(1)", "math.sqrt(4: 2.0\n1: 1"),
    ("print(1.23456789)\nprint(2.5)", "1.23456789: 1.2346\n2.5: 2.5"),
    ("print(1)\nfor i in range(2):\n    print(i, 'x')", "1: 1\ni, 'x': 0 x\n1 x"),
    ("print(\n    1\n)\nprint(2)", "1\n2: 2"),
    ("print(1)\nprint(2)\n1 / 0", "1: 1\n2: 2"),
    ("print(1)\nprint(2)\nwhile True: pass", "1: 1\n2: 2"),
    ("print(1)\nx = 3\nprint(2)\nx", "1: 1\n2: 2"),
    ("```python\nprint(7)\n```", "7"),
]
RELEASED_ERRORS = [
    ("print(1)\nprint(1 / 0)", "ZeroDivisionError: division by zero"),
    ("1 / 0\nprint(1)\nprint(2)", "ZeroDivisionError: division by zero"),
    ("x = undefined_name", "NameError: name 'undefined_name' is not defined"),
    ("x = (", "SyntaxError: '(' was never closed (<unknown>, line 1)"),
    ("print('Margin of error: 3')", "Margin of error: 3"),  # the word alone counts
    ("print(10 ** 5000)", "ValueError: Exceeds the limit (4300 digits) for integer string conversion; "
     "use sys.set_int_max_str_digits() to increase the limit"),
    ("import sys\nsys.exit()", "SystemExit: 0"),
]  # fmt: skip
PLAIN = [
    ("print(1)\nx = 2\nprint(x)", "1\n2"),
    ("print(1)\nx = 2\nx", "1"),
    ("x = 2\nx", "2"),
    ("'text'", "text"),
    ("1 / 3", "0.3333333333333333"),
    ("print(0.123456789)", "0.123456789"),
    ("print('  1 2\\n  3 4')", "  1 2\n  3 4"),
    ("print('Margin of error: 3')", "Margin of error: 3"),
    ("print('a', end='')\nprint('b', file=__import__('sys').stdout, flush=True)", "ab"),
    ("import sys\nsys.stdout.write('w')\n", "w"),
    ("import io, contextlib\nwith contextlib.redirect_stdout(io.StringIO()):\n    print(1)\nprint(2)", "2"),
    ("if __name__ == '__main__':\n    print('main')", "main"),
    ("from __future__ import annotations\ndef f(x: undefined): return x\nprint(f(1))", "1"),
    ("import dataclasses\n@dataclasses.dataclass\nclass A:\n    x: int\nprint(A(1))", "A(x=1)"),
]


@pytest.mark.parametrize(("program", "output"), RELEASED)
def test_released_output(released: Expand, program: str, output: str) -> None:
    assert released((), [program]) == [Execution("ok", output)]


@pytest.mark.parametrize(("program", "output"), RELEASED_ERRORS)
def test_released_errors(released: Expand, program: str, output: str) -> None:
    assert released((), [program]) == [Execution("error", output)]


def test_an_exception_without_the_word_passes_for_success(released: Expand) -> None:
    assert released((), ["next(iter([]))"]) == [Execution("ok", "StopIteration:")]


@pytest.mark.parametrize("program", [program for program, _ in (*RELEASED, *RELEASED_ERRORS)])
def test_steps_and_whole_give_the_same_released_output(released: Expand, program: str) -> None:
    """Prints are counted over the whole program, wherever it is cut."""
    lines = program.splitlines(keepends=True)
    for place in range(1, len(lines)):
        assert released(("".join(lines[:place]),), ["".join(lines[place:])]) == released((), [program])


@pytest.mark.parametrize(("program", "output"), PLAIN)
def test_plain_output(expand: Expand, program: str, output: str) -> None:
    assert expand((), [program]) == [Execution("ok", output)]


def test_plain_errors_are_errors_by_status(expand: Expand) -> None:
    first, second = expand((), ["print(1)\nnext(iter([]))", "10 ** 5000"])
    assert first == Execution("error", "StopIteration: ")
    assert second.output.startswith("ValueError: Exceeds the limit (4300 digits)")


NOTEBOOK = [
    ((), "print(1)", "1"),
    (("print(1)",), "print(2)", "2"),
    (("x = 3\nprint('a' * 3000)", "x += 1\nprint(x)"), "print(x + 1)", "5"),
    (("print(1)\nx = 7",), "x", "7"),
    (("print(1)", "8"), "y = 2", ""),
    (("8",), "", ""),  # nothing was run, so nothing has a value
    (("8",), "# nothing", ""),
    (("import random\nprint(random.random())",), "print('a' * 2000)", "a" * 512 + "..." + "a" * 511),
]


@pytest.mark.parametrize(("history", "snippet", "output"), NOTEBOOK)
def test_a_notebook_shows_what_a_snippet_printed_itself(
    notebook: Expand, history: tuple[str, ...], snippet: str, output: str
) -> None:
    assert notebook(history, [snippet]) == [Execution("ok", output)]


def test_a_notebook_that_ends_itself_has_no_next_snippet(notebook: Expand) -> None:
    raised, unparsed, ended, silent = notebook(
        ("x = 1\nprint(x)",), ["x / 0", "x = (", "print(2)\nexit()", "import sys\nsys.exit()"]
    )
    assert raised == Execution("error", "ZeroDivisionError: division by zero")
    assert unparsed.output.startswith("SyntaxError: '(' was never closed")
    assert (ended.outcome, silent.outcome) == ("error", "error")
    assert silent.output == "SystemExit: the program ended without output"


def test_join_puts_line_breaks_only_where_they_are_missing() -> None:
    assert join(["a = 1", "b = 2\n", "c = 3", "\nd = 4"]) == "a = 1\nb = 2\nc = 3\nd = 4"
    assert join([]) == ""


def test_longest_program_leaves_unfinished_steps_out() -> None:
    assert longest_program(["a = 1\n", "for i in a:\n"], str) == "a = 1\n"
    assert longest_program(["a = 1\n", "for i in a:\n", "    pass\n"], str).count("\n") == 3
    assert longest_program(["for i in a:\n"], str) == ""


def test_without_fence() -> None:
    assert without_fence("\n```python\nx = 1\n```\n") == "x = 1"


@pytest.mark.parametrize("sizes", [[10], [1023, 1], [1025], [3000], [1] * 5000, [600, 600, 600], [20_000, 1]])
def test_capture_agrees_with_cutting_the_whole(sizes: list[int]) -> None:
    capture = Capture(1024)
    pieces = [(chr(65 + index % 26) * size)[:-1] + "\n" for index, size in enumerate(sizes)]
    for piece in pieces:
        capture.write(piece)
    assert cut(capture.take(), 1024) == cut("".join(pieces), 1024)
    assert capture.take() == ""


SHARED = Path(__file__).parents[3] / "shared"
GOLDEN = sorted((SHARED / "golden_trees").glob("*.json"))
RESPONSES = SHARED / "data" / "official" / "sft_data_examples.json"
BLOCK = re.compile(rf"{tags.CODE}(.*?){tags.END_OF_CODE}\n*{tags.OUTPUT}(.*?){tags.END_OF_OUTPUT}", re.DOTALL)


def golden_blocks(path: Path) -> Iterator[tuple[tuple[str, ...], str]]:
    """The steps of each code block in a recorded tree, with the output that the released executor gave."""
    texts = {node["tag"]: node["text"] or "" for node in json.loads(path.read_text())["nodes"]}
    for tag in texts:
        path_tags = [".".join(tag.split(".")[:depth]) for depth in range(2, tag.count(".") + 2)]
        code, mark, output = "".join(texts[name] for name in path_tags).rpartition(tags.OUTPUT)
        if not mark or tags.END_OF_OUTPUT not in texts[tag]:
            continue
        code = code.removesuffix(tags.OUTPUT).rpartition(tags.CODE)[2].partition(tags.END_OF_CODE)[0]
        yield tuple(code.split(tags.END_OF_STEP)), output.partition(tags.END_OF_OUTPUT)[0]


@pytest.mark.skipif(not GOLDEN, reason="the recorded trees are not on this machine")
def test_recorded_trees(released: Expand) -> None:
    blocks = {block for path in GOLDEN for block in golden_blocks(path)}
    assert len(blocks) > 100
    for steps, output in sorted(blocks):
        (result,) = released(steps[:-1], [steps[-1]])
        assert result.output == output
        assert (result.outcome == "error") == ("Error" in output)


@pytest.mark.skipif(not RESPONSES.exists(), reason="the released examples are not on this machine")
def test_released_training_data(released: Expand) -> None:
    """All agree but one, whose program uses a name that only another program can have left behind.

    The released executor let names leak from one program to the next.
    """
    responses = [row["response"] for row in json.loads(RESPONSES.read_text())]
    blocks = [block for response in responses for block in BLOCK.findall(response)]
    assert len(blocks) == 8
    different = []
    for code, output in blocks:
        *history, snippet = code.split(tags.END_OF_STEP)
        (result,) = released(tuple(history), [snippet])
        if result != Execution("ok", output):
            different.append(result)
    assert different == [Execution("error", "NameError: name 'y' is not defined")]
