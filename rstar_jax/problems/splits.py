"""Train and test problems must not share a question."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from rstar_jax.errors import InputError
from rstar_jax.problems.problem import Problem

_SHOWN = 3  # examples in the error
_EXCERPT = 70  # characters of each


def normalised_question(question: str) -> str:
    """The question without what two copies may differ in: letter case, Unicode form, dollar signs, spaces.

    Signs and digits stay, and so do spaces between words or numbers: "1 23" is not "12 3".
    """
    text = unicodedata.normalize("NFKC", question).casefold().replace("$", " ")
    return re.sub(r"\s*([^\w\s])\s*|\s+", lambda found: found.group(1) or " ", text).strip()


def shared_problems(train: Iterable[Problem], test: Iterable[Problem]) -> list[tuple[Problem, Problem]]:
    """Pairs of a train and a test problem with the same question, in the order of the test problems."""
    of_question = {normalised_question(problem.question): problem for problem in train}
    pairs = ((of_question.get(normalised_question(problem.question)), problem) for problem in test)
    return [(seen, problem) for seen, problem in pairs if seen is not None]


def check_disjoint(train: Iterable[Problem], test: Iterable[Problem]) -> None:
    """Raises InputError with a few examples if a question stands on both sides."""
    shared = shared_problems(train, test)
    if not shared:
        return
    examples = "; ".join(f"{ours.id} = {theirs.id}: {_excerpt(theirs)}" for ours, theirs in shared[:_SHOWN])
    more = f"; and {len(shared) - _SHOWN} more" if len(shared) > _SHOWN else ""
    count = "1 test problem is" if len(shared) == 1 else f"{len(shared)} test problems are"
    raise InputError(f"{count} among the training problems too ({examples}{more})")


def _excerpt(problem: Problem) -> str:
    text = " ".join(problem.question.split())
    return f'"{text}"' if len(text) <= _EXCERPT else f'"{text[:_EXCERPT]}…"'
