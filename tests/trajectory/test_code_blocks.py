"""Python blocks in an answer."""

from __future__ import annotations

import pytest

from rstar_jax.trajectory.code_blocks import code_of, show_output


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("Let us see.\n```python\nprint(1)\n```\n```output", "print(1)\n"),
        ("```python\nx = 1\n```\nand\n```python\nprint(x)\n```\n```output", "x = 1\nprint(x)\n"),
        ("1. First\n   ```python\n   if True:\n       print(1)\n   ```\n", "if True:\n    print(1)\n"),
        ("```python title=x\nprint(1)\n```", "print(1)\n"),
        ("```python\nprint('```')\n```", "print('```')\n"),
        ("```python\nprint(1)\n", None),  # the model has not finished it
        ("```\nprint(1)\n```", None),
        ("no code", None),
        ("```python\n```", ""),
    ],
)
def test_complete_blocks_are_one_program(text, code):
    assert code_of(text) == code


def test_an_output_is_closed():
    assert show_output("```python\nprint(1)\n```\n```output", "1").endswith("```\n```output\n1\n```\n")
