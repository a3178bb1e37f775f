"""Reading steps, by tags and as the released code does."""

from __future__ import annotations

import random

import pytest

from rstar_jax.trajectory.steps import is_error, program, show_fatal_error, show_output, split_closing, step_kind

OPEN = "<code>\nx = 1\n<end_of_step>"
CLOSED = "<code>\nx = 1\nprint(x)\n<end_of_code>\n<output>1<end_of_output>"


@pytest.mark.parametrize(
    ("history", "text", "kind"),
    [
        ((), OPEN, "step"),
        ((), "<code>\nprint(1)\n<end_of_code>", "code"),
        ((OPEN,), "\ny = 2\n<end_of_step>", "step"),
        ((OPEN,), "\n# a boxed comment\n<end_of_step>", "step"),
        ((OPEN,), "\nprint(x)\n<end_of_code>", "code"),
        ((CLOSED,), "\n<answer>\\boxed{1}<end_of_answer>", "answer"),
        ((CLOSED,), "\nSo it is \\boxed{1}.", "answer"),
        ((CLOSED,), "\nLet me check.\n<end_of_step>", "thought"),
        ((CLOSED,), "\n<code>\ny = 2\n<end_of_step>", "step"),
        ((), "Let me think.\n<end_of_step>", "thought"),
    ],
)
def test_plain_kinds(history: tuple[str, ...], text: str, kind: str):
    assert step_kind(history, text) == kind


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("# a boxed comment\n<end_of_step>", "answer"),
        ("Let me think.\n<end_of_step>", "step"),
        ("print('<end_of_code>')\n<end_of_step>", "code"),
        ("\n<answer>5<end_of_answer>", "step"),
    ],
)
def test_released_kinds(text: str, kind: str):
    assert step_kind((OPEN,), text, "released") == kind


def test_plain_program():
    assert program((), OPEN) == ((), "x = 1")
    assert program((OPEN, "\ny = 2\n<end_of_step>"), "\nprint(y)\n<end_of_code>") == (("x = 1", "y = 2"), "print(y)")
    assert program((), "<code>print(1)<end_of_code>") == ((), "print(1)")
    assert program((), "Let me think.\n<end_of_step>") == ((), "")


def test_plain_program_keeps_indentation():
    history = ("<code>\nfor i in range(3):\n<end_of_step>",)
    assert program(history, "\n    print(i)\n<end_of_code>") == (("for i in range(3):",), "    print(i)")


def test_plain_program_begins_anew_after_an_output():
    assert program((CLOSED,), "\n<code>\nprint(2)\n<end_of_code>") == ((), "print(2)")


def test_printed_tags_are_output():
    shown = show_output("<code>\nprint('<code>')\n<end_of_code>", "<code>")
    assert step_kind((shown,), "\n<answer>\\boxed{1}<end_of_answer>") == "answer"


@pytest.mark.parametrize(
    ("history", "text", "whole"),
    [
        ((), OPEN, "# ========\nx = 1"),
        ((OPEN,), "\nprint(x)\n<end_of_code>", "# ========\nx = 1\n\nprint(x)"),
        ((OPEN,), "\nprint(x)<end_of_code>", "# ========\nx = 1"),  # on the line of the tag
        ((), "<code>x = 1\ny = 2\n<end_of_step>", "# ========\ny = 2"),
        ((), "Let me think.\n<end_of_step>", "Let me think."),  # no code: all of it
        (("Hm.\n<end_of_step>",), "<code>\nx = 1\n<end_of_step>", "# ========\nx = 1"),
        ((CLOSED,), "\nprint(x)\n<end_of_step>", "print(x)"),  # starts empty after an output
        ((OPEN, "# \\boxed{}\n<end_of_step>"), "\ny = 2\n<end_of_step>", "# ========\nx = 1\n\ny = 2"),
        (("<code>\nx = 1<end_of_step>",), "2\n<end_of_step>", "# ========\nx = 12"),  # two steps on one line
    ],
)
def test_released_program(history: tuple[str, ...], text: str, whole: str):
    before, snippet = program(history, text, "released")
    assert "".join(before) + snippet == whole


def test_released_pieces_make_the_program_of_the_whole_text():
    """The split into history and snippet, which lets the executor run a past once, changes no program."""
    pieces = ["<code>\n", "x = 1\n", "y", "\n", "for i in x:\n", "    print(i)\n", "Hm.", "<code>z", "  ", "# ====\n"]
    dice = random.Random(0)
    for _ in range(2000):
        steps = ["".join(dice.choices(pieces, k=dice.randint(0, 4))) + "<end_of_step>" for _ in range(4)]
        _, whole = program((), "".join(steps), "released")
        before, snippet = program(tuple(steps[:-1]), steps[-1], "released")
        assert "".join(before) + snippet == whole


def test_outputs():
    assert show_output("c<end_of_code>", "1") == "c<end_of_code>\n<output>1<end_of_output>"
    open_step, closed_step = "x<end_of_step>", "x<end_of_code>"
    for reading in ("plain", "released"):
        assert show_fatal_error(open_step, "E", reading) == "x<end_of_step><end_of_code>\n<output>E<end_of_output>"
    assert show_fatal_error(closed_step, "E") == "x<end_of_code>\n<output>E<end_of_output>"
    twice = "x<end_of_code>\n<output><output>E<end_of_output><end_of_output>"
    assert show_fatal_error(closed_step, "E", "released") == twice


def test_errors_by_outcome_or_by_word():
    assert not is_error("ok", "Margin of error: 3")
    assert is_error("ok", "Margin of error: 3", "released")
    assert is_error("error", "StopIteration: ")
    assert not is_error("error", "StopIteration: ", "released")


def test_split_closing():
    assert split_closing("x\n<end_of_step>") == ("x\n", "<end_of_step>")
    assert split_closing("x\n") == ("x\n", "")
