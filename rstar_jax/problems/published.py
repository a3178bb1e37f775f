r"""Published data sets as problems: which rows, where the answer stands, what level they are.

| set | on the Hub | which rows | answer | level |
|---|---|---|---|---|
| numina | AI-MO/NuminaMath-CoT | olympiads, amc_aime | last \boxed of the solution | Olympiad |
| metamath | meta-math/MetaMathQA | all | behind "The answer is:" | GSM or MATH, as its type begins |
| gsm8k | openai/gsm8k | training | behind "####" | GSM |
| math | EleutherAI/hendrycks_math | training | last \boxed of the solution | MATH |

The paper names the first two (section 3.4.1): of NuminaMath the competition part, "Olympiads, AIME/AMC". It gives no
rule for its three levels; ours is the set that a problem comes from, since that is what the levels are named after.
Solutions are read for their answers and not kept, as in the paper.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterator, Mapping, Sequence

from rstar_jax.errors import InputError
from rstar_jax.grading.extract import extract_answer
from rstar_jax.problems.problem import Level
from rstar_jax.rows import Row, find_files, iterate_rows

_THE_ANSWER = re.compile(r"[Tt]he answer is:?\s*(.+?)\s*$", re.DOTALL)


@dataclasses.dataclass(frozen=True)
class Candidate:
    """A row that may become a problem; answer: None if none was found. where: file and row, for messages."""

    question: str
    answer: str | None
    level: Level
    source: str
    where: str


@dataclasses.dataclass(frozen=True)
class Published:
    """How the rows of a data set are read.

    Attributes:
      hub: its id.
      patterns: of its files, so that no test split is among them.
      question: field of the question; the first that a row has.
      answer: the final answer of a row, or None.
      level: of the problems of a part.
      part: field that names what of the set a row is; "" if there are no parts.
      parts: those that are taken; () takes all.
    """

    hub: str
    patterns: tuple[str, ...]
    question: tuple[str, ...]
    answer: Callable[[Row], str | None]
    level: Callable[[str], Level]
    part: str = ""
    parts: tuple[str, ...] = ()


def boxed(row: Row) -> str | None:
    """The `answer` of a row, or what its `solution` boxes last."""
    given = _text(row, "answer")
    return given if given is not None else extract_answer(_text(row, "solution") or "")


def _behind_the_answer_is(row: Row) -> str | None:
    found = _THE_ANSWER.search((_text(row, "response") or "").rpartition("\n")[2])
    return found.group(1) if found else None


def behind_hashes(row: Row) -> str | None:
    """What stands behind the "####" of a row's `answer`."""
    answer = _text(row, "answer")
    return None if answer is None else answer.rpartition("####")[2]


PUBLISHED: Mapping[str, Published] = {
    "numina": Published(
        "AI-MO/NuminaMath-CoT",
        ("data/train-*.parquet",),
        ("problem",),
        boxed,
        lambda part: "Olympiad-level",
        "source",
        ("olympiads", "amc_aime"),
    ),
    "metamath": Published(
        "meta-math/MetaMathQA",
        ("MetaMathQA*.json",),
        ("query",),
        _behind_the_answer_is,
        lambda part: "GSM-level" if part.startswith("GSM") else "MATH-level",
        "type",
    ),
    "gsm8k": Published(
        "openai/gsm8k", ("main/train-*.parquet",), ("question",), behind_hashes, lambda part: "GSM-level"
    ),
    "math": Published(
        "EleutherAI/hendrycks_math",
        ("*/train-*.parquet",),
        ("problem", "question"),
        boxed,
        lambda part: "MATH-level",
    ),
}


def candidates(name: str, place: str | None = None, parts: Sequence[str] | None = None) -> Iterator[Candidate]:
    """The rows of a published set that are to be taken, in order.

    Args:
      name: of the set, a key of `PUBLISHED`.
      place: a file or folder with its rows (JSON, JSON lines, Parquet); None: the Hub.
      parts: which of its parts, if not those of the table; () takes all.

    Raises InputError: there are no such files, or a row is no object with a question.
    """
    published = PUBLISHED[name]
    wanted = published.parts if parts is None else tuple(parts)
    files = find_files(published.hub, published.patterns) if place is None else find_files(place)
    for file in files:
        for where, row in iterate_rows(file):
            if not isinstance(row, dict):
                raise InputError(f"{where}: not an object with {' or '.join(published.question)}")
            part = _text(row, published.part) or "" if published.part else ""
            if wanted and published.part and part not in wanted:
                continue
            source = f"{name}/{part}" if part else name
            yield Candidate(
                _question(row, published, where), published.answer(row), published.level(part), source, where
            )


def _question(row: Row, published: Published, where: str) -> str:
    for field in published.question:
        question = _text(row, field)
        if question is not None:
            return question
    raise InputError(f'{where}: no "{published.question[0]}"')


def _text(row: Row, field: str) -> str | None:
    value = row.get(field)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    return value if isinstance(value, str) else None
