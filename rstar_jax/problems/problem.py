"""A problem: what is asked, and the answer that only the grader may see."""

from __future__ import annotations

import dataclasses
from typing import Literal, get_args

Level = Literal["GSM-level", "MATH-level", "Olympiad-level"]  # the columns of the paper's Table 2
LEVELS: tuple[Level, ...] = get_args(Level)


@dataclasses.dataclass(frozen=True)
class Problem:
    """One question with its final answer (section 3.4.1: only the final answer is needed as a label)."""

    id: str
    question: str
    answer: str
    level: Level = "MATH-level"
    source: str = ""  # data set or family that it comes from
