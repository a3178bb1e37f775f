"""Answers: taking them out of a response and judging whether two are the same.

Stages of the strict grader: `notation` (what it alone reads), `normalise` (text to plain notation), `lexer`, `parser`,
`structure` (typed forms), `compare` (exact fractions, else 50 digits at fixed points), `first_stage` (equal, different,
unknown), and for the unknown `workers` (math-verify in processes that can be killed). `released` is the lenient grader
of the published code. Nothing in an answer is ever executed.

`rewriting` makes labelled pairs of any gold answer, and `report` counts what a grader gets wrong on pairs.
"""

from rstar_jax.grading.extract import Semantics, extract_answer
from rstar_jax.grading.first_stage import Verdict, verdict
from rstar_jax.grading.groups import group_answers, vote
from rstar_jax.grading.pool import GraderPool, GraderStats

__all__ = [
    "GraderPool",
    "GraderStats",
    "Semantics",
    "Verdict",
    "extract_answer",
    "group_answers",
    "verdict",
    "vote",
]
