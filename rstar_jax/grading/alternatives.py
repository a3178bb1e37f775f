"""Several golds in one (rule 16): a printed list of strings means that any of them counts as right."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Sequence

from rstar_jax.grading.limits import MAX_CHARACTERS

_QUOTED_LIST = re.compile(r"""\s*\[\s*(['"]).*\1\s*,?\s*\]\s*$""", re.DOTALL)


def golds(truth: str) -> tuple[str, ...]:
    """`['3', '-3']` as its two strings; any other text as itself. Only literals are read."""
    if len(truth) > MAX_CHARACTERS or not _QUOTED_LIST.match(truth):
        return (truth,)
    try:
        parts = ast.literal_eval(truth.strip())
    except (ValueError, SyntaxError):
        return (truth,)
    return tuple(parts) if all(isinstance(p, str) for p in parts) else (truth,)


def printed(answers: Sequence[str]) -> str:
    """One text that `golds` reads as these answers, of which any counts as right.

    In double quotes, which JSON always has; Python's own way of printing may mix them.
    """
    return answers[0] if len(answers) == 1 else json.dumps(list(answers), ensure_ascii=False)
