"""Problems in JSON and JSONL files.

A row is an object with the fields of `Problem`, of which question (or `problem`, as some data sets call it)
and answer are required; other fields are ignored. A `.jsonl` file has a row a line, a `.json` file is a list
of rows or `{"example": [rows]}`, a layout that some benchmarks use. Where only questions are needed, a text file
has one a line.
"""

from __future__ import annotations

import collections
import dataclasses
import hashlib
import logging
import math
import os
import pathlib
import re
from collections.abc import Iterable, Iterator
from typing import Any

from rstar_jax import files
from rstar_jax.errors import InputError
from rstar_jax.problems.problem import LEVELS, Level, Problem

log = logging.getLogger(__name__)

_MATH_LEVEL = re.compile(r"Level [1-5?]")  # the MATH data set's own five grades


def read_problems(
    path: files.AnyPath, *, level: Level = "MATH-level", source: str = "", skip_unusable: bool = False
) -> list[Problem]:
    """The problems of a `.json` or `.jsonl` file; `level` and `source` are for rows that do not say.

    A row without an id gets one from its content, the same in every run; a second copy of it gets "-2" at the
    end, and so on, since a benchmark counts it twice. The MATH data set's five levels are all "MATH-level".

    Raises InputError with file, line (or item) and reason: unknown kind of file, malformed JSON, a row that
    is not an object, no or an empty question or answer, an answer that is neither text nor a number, an
    unknown level, an id that occurs twice, no rows at all. With `skip_unusable`, rows without a usable
    answer, which several published benchmarks have, are left out, and a warning in the log counts them.
    """
    default = Problem(id="", question="", answer="", level=level, source=source)
    placed: list[tuple[str, Problem]] = []
    skipped: list[str] = []
    for place, row in read_rows(path):
        try:
            placed.append((place, _problem(row, place, default)))
        except _NoAnswer as error:
            if not skip_unusable:
                raise
            skipped.append(str(error))
    if skipped:
        log.warning("%s: %d rows left out, the first one: %s", os.fspath(path), len(skipped), skipped[0])
    if not placed:
        raise InputError(f"{os.fspath(path)}: no problems in it")
    return _with_ids(placed)


def read_rows(path: files.AnyPath) -> Iterator[tuple[str, Any]]:
    """Every row of a problem file, and where it stands in words; rows are not looked at.

    Raises InputError: unknown kind of file, malformed JSON, no rows where they have to be.
    """
    name = os.fspath(path)
    if _is_lines(path):
        yield from ((f"{name}, line {number}", row) for number, row in files.iterate_jsonl(path))
        return
    rows = files.read_json(path)
    if isinstance(rows, dict) and "example" in rows:
        rows = rows["example"]
    if not isinstance(rows, list):
        raise InputError(f'{name}: neither a list of problems nor {{"example": [problems]}}')
    yield from ((f"{name}, item {number}", row) for number, row in enumerate(rows, start=1))


def read_questions(path: files.AnyPath) -> list[str]:
    """The questions of a file of problems, which need no answers here, or of a `.txt` file: one a line.

    Raises InputError with file, line (or item) and reason, as `read_problems` does.
    """
    if pathlib.PurePath(path).suffix == ".txt":
        found = [line.strip() for line in files.read_text(path).splitlines() if line.strip()]
    else:
        found = [_question(row, place) for place, row in read_rows(path)]
    if not found:
        raise InputError(f"{os.fspath(path)}: no questions in it")
    return found


def write_problems(path: files.AnyPath, problems: Iterable[Problem]) -> None:
    """Write problems as `read_problems` reads them, whole or not at all.

    Raises InputError for another kind of file than `.json` and `.jsonl`.
    """
    rows = map(dataclasses.asdict, problems)
    if _is_lines(path):
        files.write_jsonl(path, rows)
    else:
        files.write_json(path, list(rows))


def content_id(problem: Problem) -> str:
    """16 hexadecimal digits that depend on question and answer only."""
    text = f"{problem.question}\x1f{problem.answer}"
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


def named_by_content(problem: Problem) -> Problem:
    """The problem with its `content_id` as its id."""
    return dataclasses.replace(problem, id=content_id(problem))


class _NoAnswer(InputError):
    """A row that cannot be graded."""


def _is_lines(path: files.AnyPath) -> bool:
    suffix = pathlib.PurePath(path).suffix
    if suffix not in (".json", ".jsonl"):
        raise InputError(f"{os.fspath(path)}: problem files end in .json or .jsonl")
    return suffix == ".jsonl"


def _problem(row: Any, place: str, default: Problem) -> Problem:
    """A row's problem, its id empty if the row has none."""
    question = _question(row, place)
    return Problem(
        id=_text(row, "id", place) or "",
        question=question,
        answer=_answer(row, place),
        level=_level(_text(row, "level", place) or default.level, place),
        source=_text(row, "source", place) or default.source,
    )


def _question(row: Any, place: str) -> str:
    if not isinstance(row, dict):
        raise InputError(f"{place}: not an object with question and answer")
    question = _text(row, "question" if "question" in row else "problem", place)
    if question is None:
        raise InputError(f'{place}: no "question" (nor "problem")')
    if not question.strip():
        raise InputError(f'{place}: the question is empty')
    return question


def _text(row: dict[str, Any], field: str, place: str) -> str | None:
    """A field's text; None if it is absent or null. Ids may be whole numbers."""
    value = row.get(field)
    if value is None:
        return None
    if field == "id" and isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str):
        raise InputError(f'{place}: "{field}" is not text')
    return value


def _answer(row: dict[str, Any], place: str) -> str:
    value = row.get("answer")
    if value is None:
        raise _NoAnswer(f'{place}: no "answer"')
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise _NoAnswer(f'{place}: "answer" is neither text nor a number')
    if isinstance(value, float) and not math.isfinite(value):
        raise _NoAnswer(f'{place}: "answer" is not a finite number')
    if not str(value).strip():
        raise _NoAnswer(f'{place}: "answer" is empty')
    return str(value)


def _level(name: str, place: str) -> Level:
    if _MATH_LEVEL.fullmatch(name):
        return "MATH-level"
    for level in LEVELS:
        if name == level:
            return level
    raise InputError(f'{place}: unknown level "{name}" (known are {", ".join(LEVELS)})')


def _with_ids(placed: list[tuple[str, Problem]]) -> list[Problem]:
    """The problems, each with an id of its own."""
    copies: collections.Counter[str] = collections.Counter()
    places: dict[str, str] = {}
    problems = []
    for place, problem in placed:
        if not problem.id:
            name = content_id(problem)
            copies[name] += 1
            problem = dataclasses.replace(problem, id=name if copies[name] == 1 else f"{name}-{copies[name]}")
        if problem.id in places:
            raise InputError(f'{place}: id "{problem.id}" occurs twice, first in {places[problem.id]}')
        places[problem.id] = place
        problems.append(problem)
    return problems
