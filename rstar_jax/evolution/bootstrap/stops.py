"""Which closing tag ended a generation.

Servers cut the stop string off, and only some say which one it was (vLLM `stop_reason`, SGLang
`matched_stop`). The rule, in this order:

1. The text holds a tag itself, since the server keeps it or knows no stop strings: the first one, and nothing
   after it.
2. The server names the tag.
3. The block that is open tells: an answer block ends with its tag, an output block too. A code block ends
   with `<end_of_code>` if the step says "Now print the final answer" (rule 4 of the prompt) or its last line
   is a print at the left margin, else with `<end_of_step>`. Where no block is open it is `<end_of_step>`. A
   model that ends its text by itself is taken to mean the same.

A generation that was cut at the token limit, and an empty one of which no tag is known, stay unclosed.
"""

from __future__ import annotations

from rstar_jax.search.protocols import Finish
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

STOPS = (*STEP_ENDS, END_OF_OUTPUT)  # four, the most that some servers take
_BLOCKS = ((CODE, END_OF_CODE), (OUTPUT, END_OF_OUTPUT), (ANSWER, END_OF_ANSWER))
_LAST_STEP = "now print the final answer"


def close(history: str, text: str, finish_reason: str | None, named: object) -> tuple[str, Finish]:
    """The step with its closing tag, and how it finished.

    history: the response before it. named: what the server says it stopped at (a tag, a token id, or None).
    """
    kept = _up_to_first_stop(text)
    if kept is not None:
        return kept, "stop"
    if finish_reason in ("length", "content_filter"):
        return text, "length"
    if isinstance(named, str) and named in STOPS:
        return text + named, "stop"
    return (text + _inferred(history, text), "stop") if text.strip() else (text, "length")


def _up_to_first_stop(text: str) -> str | None:
    ends = [text.index(stop) + len(stop) for stop in STOPS if stop in text]
    return text[: min(ends)] if ends else None


def _inferred(history: str, text: str) -> str:
    whole = history + text
    opened = {end: whole.rfind(start) for start, end in _BLOCKS if whole.rfind(start) > whole.rfind(end)}
    if not opened:
        return END_OF_STEP
    innermost = max(opened, key=opened.__getitem__)
    return innermost if innermost != END_OF_CODE or _prints_the_answer(text) else END_OF_STEP


def _prints_the_answer(step: str) -> bool:
    return _LAST_STEP in step.lower() or step.rstrip().rpartition("\n")[2].startswith("print(")
