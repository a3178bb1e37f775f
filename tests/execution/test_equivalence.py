"""Wherever a program is cut into steps, it prints what a fresh interpreter prints for the whole."""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from rstar_jax.search.protocols import Execution

Expand = Callable[[tuple[str, ...], Sequence[str]], list[Execution]]

PROGRAMS = Path(__file__).with_name("programs.txt").read_text().split("\n# ----\n")


def fresh(program: str) -> Execution:
    """The same program as a file's whole content, in an interpreter of its own."""
    done = subprocess.run(
        [sys.executable, "-s", "-P", "-c", program],
        env={"PYTHONHASHSEED": "0", "OPENBLAS_NUM_THREADS": "1", "LANG": "C.UTF-8"},
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )
    if done.returncode == 0:
        return Execution("ok", done.stdout.rstrip("\n"))
    message = done.stderr.strip().splitlines()[-1]
    return Execution("error", message if ": " in message else f"{message}: ")


def cuts(program: str) -> list[list[str]]:
    """The program whole, line by line, and cut at random lines, also in the middle of a block."""
    lines = program.splitlines(keepends=True)
    found = [[program], lines]
    generator = random.Random(len(program))
    for _ in range(2):
        place = generator.randrange(len(lines))
        found.append(["".join(lines[:place]), "".join(lines[place:])])
    return found


def same(ours: Execution, theirs: Execution) -> bool:
    """Equal, the file name and line number at the end of a syntax error's message left aside."""
    return ours.outcome == theirs.outcome and ours.output.split(" (<")[0] == theirs.output.split(" (<")[0]


@pytest.mark.parametrize("program", PROGRAMS)
def test_any_cut_gives_the_output_of_a_fresh_interpreter(expand: Expand, program: str) -> None:
    expected = fresh(program)
    for *history, snippet in cuts(program):
        (result,) = expand(tuple(history), [snippet])
        assert same(result, expected), (history, snippet)
