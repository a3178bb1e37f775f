"""Reading steps (paper section 3.2): their kinds, the programs that they add, and how an output is shown.

Two readings, chosen by `reading`:

* "plain": by tags. Code is what stands between `<code>` and `<end_of_code>`; an answer is an answer block.
* "released": as the authors' code reads it, line by line and by the words "boxed" and "error" (upstream items
  18, 22-24).

In both a program begins anew after an output: a block is shown what it printed as a whole, so it must stand
for itself.

All functions are pure. A step text is what the policy wrote, closing tag included, plus the `<output>` block
that we appended; "".join(steps) is the response so far.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from rstar_jax.trajectory.tags import (
    ANSWER,
    CODE,
    END_OF_ANSWER,
    END_OF_CODE,
    END_OF_OUTPUT,
    END_OF_STEP,
    OUTPUT,
    STEP_ENDS,
)

Reading = Literal["plain", "released"]
StepKind = Literal["thought", "step", "code", "answer"]
"""thought: nothing to run; step: code, its block goes on; code: it closes its block; answer: the end."""

CLOSING_TAGS = (*STEP_ENDS, END_OF_OUTPUT)  # the bootstrap model also stops at <end_of_output> (appendix A.3)
_BLOCK_MARK = "# ========"  # what the released code writes in place of a <code> line


def split_closing(text: str) -> tuple[str, str]:
    """The text before its closing tag, and the tag ("" if a generation was cut)."""
    for tag in CLOSING_TAGS:
        if text.endswith(tag):
            return text[: -len(tag)], tag
    return text, ""


def step_kind(history: Sequence[str], text: str, reading: Reading = "plain") -> StepKind:
    """What a new step is, given the steps before it.

    Released (items 22, 24): "boxed" anywhere, even in a comment, makes an answer; everything else is code,
    also prose.
    """
    if reading == "released":
        if "boxed" in text:
            return "answer"
        return "code" if END_OF_CODE in text else "step"
    inside = _inside_block(history)
    if CODE in text or inside:
        closes = END_OF_CODE in text
        return "code" if closes else "step"
    return "answer" if ANSWER in text or END_OF_ANSWER in text or r"\boxed" in text else "thought"


def program(history: Sequence[str], text: str, reading: Reading = "plain") -> tuple[tuple[str, ...], str]:
    """(programs that ran before, program that `text` adds): what `Executor.expand` takes.

    Joining them gives the program of the block that is open, to which `text` belongs (item 18).
    """
    if reading == "released":
        return _released_program(history, text)
    pieces: list[str] = []
    inside = False
    for step in history:
        piece, inside = _block_part(step, inside)
        pieces = [*pieces, piece] if inside else []
    return tuple(piece for piece in pieces if piece), _block_part(text, inside)[0]


def show_output(text: str, output: str) -> str:
    """A code step followed by what its program printed."""
    return f"{text}\n{OUTPUT}{output}{END_OF_OUTPUT}"


def show_fatal_error(text: str, output: str, reading: Reading = "plain") -> str:
    """A step whose error ends a trajectory; its block is closed if it was open.

    Released trees wrap the output twice where the step had closed the block itself.
    """
    if END_OF_CODE not in text:
        return show_output(text + END_OF_CODE, output)
    return show_output(text, f"{OUTPUT}{output}{END_OF_OUTPUT}" if reading == "released" else output)


def is_error(outcome: str, output: str, reading: Reading = "plain") -> bool:
    """Whether a run failed: by its outcome; released: by the word "error" in its output (item 23)."""
    return "error" in output.lower() if reading == "released" else outcome != "ok"


def _inside_block(history: Sequence[str]) -> bool:
    inside = False
    for step in history:
        _, inside = _block_part(step, inside)
    return inside


def _block_part(step: str, inside: bool) -> tuple[str, bool]:
    """The code of one step, and whether its block is still open after it."""
    body, closed, _ = step.partition(END_OF_CODE)  # what follows is output: a program may print tags
    if not inside:
        _, opened, body = body.partition(CODE)
        if not opened:
            return "", False
    return body.replace(CODE, "").replace(END_OF_STEP, "").strip("\n"), not closed


def _released_program(history: Sequence[str], text: str) -> tuple[tuple[str, ...], str]:
    """Item 18: collection walks up and stops at the first ancestor with the end of a code or output block.

    Ancestors that were taken for an (empty) answer were never run, so they are passed over.
    """
    block: list[str] = []
    for step in reversed(history):
        if END_OF_OUTPUT in step or END_OF_CODE in step:
            break
        if "boxed" not in step:
            block.insert(0, step)
    pieces: list[str] = []
    whole = ""
    for end in range(1, len(block) + 2):
        longer = _released_lines("".join([*block, text][:end]))
        added = longer[len(whole) :]
        if longer.startswith(whole) and (not whole or not added or added.startswith("\n")):
            pieces.append(added)
        else:  # two steps met in one line, or prose was followed by code: no longer a continuation
            pieces = [longer]
        whole = longer
    return tuple(piece for piece in pieces[:-1] if piece), pieces[-1]


def _released_lines(text: str) -> str:
    """Item 22: lines with a tag are dropped as a whole; a text without any code is code itself."""
    text = text.replace(END_OF_STEP, "")
    kept: list[str] = []
    inside = False
    for line in text.split("\n"):
        if CODE in line:
            kept += ["", _BLOCK_MARK]
            inside = True
        elif END_OF_CODE in line:
            inside = False
        elif inside:
            kept.append(line)
    return "\n".join(kept).strip() or text.strip()
