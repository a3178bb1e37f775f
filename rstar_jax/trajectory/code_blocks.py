"""Python in an answer as models write it that were trained to use a tool: fenced blocks, each followed by its output.

    ```python
    print(6 * 7)
    ```
    ```output
    42
    ```

The model writes up to the opening fence of the output; the rest of it is ours (Qwen2.5-Math, ToRA).
"""

from __future__ import annotations

import re
import textwrap

OUTPUT_FENCE = "```output"
_BLOCK = re.compile(r"^[ \t]*```python[^\n]*\n(.*?)^[ \t]*```", re.DOTALL | re.MULTILINE)


def code_of(text: str) -> str | None:
    """The program of all complete Python blocks in a text, in their order; None if there is no block."""
    blocks = [textwrap.dedent(block) for block in _BLOCK.findall(text)]
    return "".join(blocks) if blocks else None


def show_output(text: str, output: str) -> str:
    """A text that ends with an output's opening fence, with the output."""
    return f"{text}\n{output}\n```\n"
