"""Training problems that give away problems of the evaluation.

The paper does not mention decontamination; its sources repeat competitions that its benchmarks are made of. The rule is
that of the Qwen2.5-Math report: a problem goes if it shares 13 consecutive words with a test question and their longest
common subsequence of words is at least 0.6 of the shorter one. A test question of fewer than 13 words gives away what
contains all of it in a row, if that is at least 0.6 of the words.
"""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence

from rstar_jax.problems.problem import Problem
from rstar_jax.problems.words import common_subsequence, words

WORDS_IN_A_ROW = 13
COMMON = 0.6


@dataclasses.dataclass(frozen=True)
class Overlap:
    """A training problem and the test question that it gives away."""

    problem: Problem
    benchmark: str
    test: Problem


class Evaluation:
    """The questions of all benchmarks, by their runs of words."""

    def __init__(self, benchmarks: Mapping[str, Iterable[Problem]], n: int = WORDS_IN_A_ROW, common: float = COMMON):
        self._n, self._common = n, common
        self._tests: list[tuple[str, Problem, list[str]]] = []
        self._runs: dict[tuple[str, ...], list[int]] = collections.defaultdict(list)
        for name, problems in benchmarks.items():
            for problem in problems:
                found = words(problem.question)
                for run in _runs(found, min(n, len(found))):
                    self._runs[run].append(len(self._tests))
                self._tests.append((name, problem, found))
        self._lengths = sorted({len(run) for run in self._runs})

    def overlap(self, problem: Problem) -> Overlap | None:
        """The first test question that a problem gives away."""
        found = words(problem.question)
        near = {test for length in self._lengths for run in _runs(found, length) for test in self._runs.get(run, ())}
        for test in sorted(near):
            benchmark, question, theirs = self._tests[test]
            shorter = min(len(found), len(theirs)) if len(theirs) >= self._n else len(found)
            if common_subsequence(found, theirs) >= self._common * shorter:
                return Overlap(problem, benchmark, question)
        return None


def _runs(found: Sequence[str], length: int) -> Iterator[tuple[str, ...]]:
    return (tuple(found[start : start + length]) for start in range(len(found) - length + 1)) if length else iter(())
