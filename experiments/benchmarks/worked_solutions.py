"""A proposer with the length and the shape of real trajectories, where no model is at hand: people's solutions.

It takes a problem's solution line by line: the sentence becomes the comment, its arithmetic the code, so a tree over
questions of GSM8K is as deep and as long as they are. Sometimes it slips in a number, takes two lines at once or looks
at a value again, so siblings differ as a policy's do. It shows what search costs, never how well it solves.
"""

from __future__ import annotations

import ast
import dataclasses
import pathlib
import random
import re
from collections.abc import Mapping, Sequence

from rstar_jax.errors import InputError
from rstar_jax.files import read_json
from rstar_jax.problems.problem import Problem
from rstar_jax.search.protocols import Path, Proposal, sample_key
from rstar_jax.trajectory.tags import ANSWER, CODE, END_OF_ANSWER, END_OF_CODE, END_OF_STEP

_ARITHMETIC = re.compile(r"([\d$][\d\s+*/().$,-]*[+*/-][\d\s+*/().$,-]*\d[\d\s).]*)=")
_NUMBER = re.compile(r"\d+")


@dataclasses.dataclass(frozen=True)
class Rates:
    """slip: chance of a wrong number in a step. double: of two lines in one step. again: of a value printed again."""

    slip: float = 0.35
    double: float = 0.15
    again: float = 0.3


class WorkedProposer:
    """`Proposer` of steps from the solutions of some problems, by question."""

    def __init__(self, lines: Mapping[str, Sequence[str]], rates: Rates = Rates()):
        self._lines = lines
        self._rates = rates

    async def propose(self, path: Path, n: int, key: int) -> list[Proposal]:
        texts = [self._step(path, random.Random(sample_key(key, index))) for index in range(n)]
        return [Proposal(text, n_tokens=len(text.split())) for text in texts]

    def _step(self, path: Path, rng: random.Random) -> str:
        lines = self._lines[path.problem.question]
        if path.steps and END_OF_CODE in path.steps[-1]:
            return f"\n{ANSWER}The answer is \\boxed{{{path.problem.answer}}}.\n{END_OF_ANSWER}"
        done = path.text.count("# Step ")
        if done >= len(lines):
            return f"\n# Now print the final answer\nprint(x{done})\n{END_OF_CODE}"
        count = 2 if rng.random() < self._rates.double else 1
        new = [self._line(done + i, lines[done + i], rng) for i in range(min(count, len(lines) - done))]
        if rng.random() < self._rates.again:
            new.append(f"assert x{done + len(new)} is not None")
        opening = f"{CODE}\n" if not path.steps else "\n\n"
        return opening + "\n".join(new) + f"\n{END_OF_STEP}"

    def _line(self, number: int, line: str, rng: random.Random) -> str:
        expression = _expression(line)
        if rng.random() < self._rates.slip:
            places = list(_NUMBER.finditer(line))
            if places:
                place = rng.choice(places)
                line = f"{line[: place.start()]}{rng.randrange(1000)}{line[place.end() :]}"
        return f"# Step {number + 1}: {line}\nx{number + 1} = {expression}"


def _expression(line: str) -> str:
    """The line's arithmetic as Python; 0 where it has none that Python can read."""
    found = _ARITHMETIC.search(line)
    text = re.sub(r"[$,\s]", "", found[1]).rstrip(".") if found else "0"
    try:
        ast.parse(text, mode="eval")
    except SyntaxError:  # leading zeros, unbalanced brackets
        return "0"
    return text


def read_worked(path: pathlib.Path, count: int, least: int) -> tuple[list[Problem], dict[str, list[str]]]:
    """The first problems of GSM8K whose solution has at least so many lines, and these lines by question.

    Raises InputError if the file is not a list of {"question", "answer", "solution"}, or has too few such problems.
    """
    rows = read_json(path)
    fields = {"question", "answer", "solution"}
    if not isinstance(rows, list) or not all(isinstance(row, dict) and fields <= row.keys() for row in rows):
        raise InputError(f"{path}: not a list of objects with {', '.join(sorted(fields))}")
    long = [row for row in rows if len(row["solution"].splitlines()) >= least][:count]
    if len(long) < count:
        raise InputError(f"{path}: {len(long)} problems have solutions of {least} lines, not {count}")
    problems = [Problem(str(i), row["question"], row["answer"]) for i, row in enumerate(long)]
    return problems, {row["question"]: row["solution"].splitlines() for row in long}
