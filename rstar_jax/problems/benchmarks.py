"""Loads the evaluation benchmarks by name, and checks that they are what they should be.

    python -m rstar_jax.problems.benchmarks --folder DIR     # files in the released layout
    python -m rstar_jax.problems.benchmarks                  # the Hub
    python -m rstar_jax.problems.benchmarks --folder DIR --names math500 aime2024 --json FILE

prints a line for each: rows, those with an answer, and of these the distinct questions, those that stand there more
than once, and those of them whose answers differ (as texts); whether the file is the released one ("ok"), another one
("other"), or there is nothing to compare it with ("unknown"). The exit code is 2 if one is missing or wrong; a file
with another checksum but the right counts is neither.

A problem's id is its benchmark and its row's own index, `math500/0`: College Math asks 34 questions more than once, 24
of them with different answers, so a question names no problem. On the Hub it is the place of the row, `math500/hub/0`,
which may be another problem than the released file's `math500/0`. Rows with an empty answer (11 of the released ones)
are left out, since nothing can be right there; where the answer is a list, any of it counts (`grading.alternatives`).

A user's own problems are no benchmark: `rstar_jax.problems.files.read_problems` reads those.
"""

from __future__ import annotations

import collections
import dataclasses
import logging
import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal

import tyro
from etils import epath

from rstar_jax.errors import EXIT_BAD_INPUT, InputError, run_main
from rstar_jax.files import AnyPath, sha256_of, write_json
from rstar_jax.grading.alternatives import printed
from rstar_jax.problems.benchmark_table import BENCHMARKS, Benchmark, HubSet
from rstar_jax.problems.files import read_rows
from rstar_jax.problems.problem import Problem
from rstar_jax.rows import find_files, iterate_rows

__all__ = ["BENCHMARKS", "Benchmark", "HubSet", "Loaded", "load_benchmark", "read_benchmark"]

log = logging.getLogger(__name__)

Checksum = Literal["ok", "other", "unknown"]


@dataclasses.dataclass(frozen=True)
class Loaded:
    """place: file, or id on the Hub. rows: all of them. problems: those that have an answer."""

    place: str
    rows: int
    problems: list[Problem]
    checksum: Checksum


def load_benchmark(name: str, folder: AnyPath | None = None) -> list[Problem]:
    """The problems of a benchmark that have an answer, in the order of its rows; see `read_benchmark`."""
    return read_benchmark(name, folder).problems


def read_benchmark(name: str, folder: AnyPath | None = None) -> Loaded:
    """A benchmark from a folder in the released layout, or from the Hub if there is none.

    A file is a list of {index, question, answer} or {"example": [...]}; without an index, a row's place counts, from 0.
    A warning in the log says that a file is not the released one, or that the Hub is not compared with it.

    Raises InputError with place and reason: no such benchmark or file, malformed JSON, a row without a question or an
    answer field, an index that occurs twice, another number of rows or of answers than the benchmark has. Only the Hub
    may have more answers than the released file, which a warning says.
    """
    benchmark = _named(name)
    loaded = _from_hub(benchmark) if folder is None else _from_folder(benchmark, folder)
    _check_counts(benchmark, loaded, on_hub=folder is None)
    if benchmark.sha256 is not None and loaded.checksum != "ok":
        found = "is not the released file" if loaded.checksum == "other" else "is not compared with the released file"
        log.warning("%s: %s %s; numbers may differ from those of that file", loaded.place, benchmark.title, found)
    return loaded


def _named(name: str) -> Benchmark:
    if name not in BENCHMARKS:
        raise InputError(f'there is no benchmark "{name}"; known are {", ".join(BENCHMARKS)}')
    return BENCHMARKS[name]


def _from_folder(benchmark: Benchmark, folder: AnyPath) -> Loaded:
    path = epath.Path(folder) / benchmark.file
    if benchmark.sha256 is None and not path.exists():
        raise InputError(
            f"{path}: no such file, and none was released; without a folder it comes from the Hub ({benchmark.hub.id})"
        )
    rows, problems = _problems(benchmark, benchmark.name, read_rows(path))
    checksum: Checksum = "unknown"
    if benchmark.sha256 is not None:
        checksum = "ok" if sha256_of(path) == benchmark.sha256 else "other"
    return Loaded(str(path), rows, problems, checksum)


def _from_hub(benchmark: Benchmark) -> Loaded:
    rows, problems = _problems(benchmark, f"{benchmark.name}/hub", _hub_rows(benchmark.hub))
    return Loaded(benchmark.hub.id, rows, problems, "unknown")


def _hub_rows(hub: HubSet) -> Iterator[tuple[str, Any]]:
    """The rows of a Hub set as the released files have them, without an index."""
    for file in find_files(hub.id, hub.patterns):
        for where, row in iterate_rows(file):
            if not isinstance(row, dict):
                raise InputError(f'{where}: not an object with "{hub.question}"')
            answer = hub.answer(row)
            stripped = answer.strip() if isinstance(answer, str) else answer
            yield where, {"question": row.get(hub.question), "answer": stripped}


def _check_counts(benchmark: Benchmark, loaded: Loaded, on_hub: bool) -> None:
    if loaded.rows != benchmark.count:
        raise InputError(f"{loaded.place}: {benchmark.title} has {benchmark.count} rows, found {loaded.rows}")
    found = len(loaded.problems)
    if found == benchmark.usable:
        return
    sentence = f"{loaded.place}: {benchmark.title} has {benchmark.usable} rows with an answer, found {found}"
    if found < benchmark.usable or not on_hub:
        raise InputError(sentence)
    log.warning("%s", sentence)


# --- Rows ---------------------------------------------------------------------------------------------


def _problems(benchmark: Benchmark, prefix: str, rows: Iterable[tuple[str, Any]]) -> tuple[int, list[Problem]]:
    """How many rows there are, and the problems of those that have an answer."""
    places: dict[str, str] = {}
    problems = []
    for position, (where, row) in enumerate(rows):
        if not isinstance(row, dict):
            raise InputError(f"{where}: not an object with question and answer")
        index = _index(row.get("index", position), where)
        if index in places:
            raise InputError(f"{where}: index {index} occurs twice, first in {places[index]}")
        places[index] = where
        question, answer = _question(row, where), _answer(row, where)
        if answer is not None:
            problems.append(Problem(f"{prefix}/{index}", question, answer, benchmark.level, benchmark.name))
    return len(places), problems


def _index(value: Any, where: str) -> str:
    if isinstance(value, bool) or not isinstance(value, int | str) or not str(value).strip():
        raise InputError(f'{where}: "index" is neither a whole number nor text')
    return str(value)


def _question(row: dict[str, Any], where: str) -> str:
    question = row.get("question")
    if not isinstance(question, str) or not question.strip():
        raise InputError(f"{where}: no question, or not as text")
    return question


def _answer(row: dict[str, Any], where: str) -> str | None:
    """The answer, or all that count in one text; None if it is empty."""
    if "answer" not in row:
        raise InputError(f'{where}: no "answer"')
    value = row["answer"]
    alternatives = [_text(part, where) for part in (value if isinstance(value, list) else [value])]
    given = [text for text in alternatives if text.strip()]
    return printed(given) if given else None


def _text(value: Any, where: str) -> str:
    if value is None:
        return ""
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if not isinstance(value, str) and not is_number:
        raise InputError(f'{where}: "answer" is neither text nor a number, nor a list of those')
    return str(value)


# --- The command --------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Finding:
    """What was found of a benchmark; error: why it cannot be used, "" if it can.

    distinct: different questions of the usable rows. repeated: of these, in more than one row. contradicting: of these,
    with more than one answer, compared as texts.
    """

    name: str
    file: str
    rows: int = 0
    usable: int = 0
    distinct: int = 0
    repeated: int = 0
    contradicting: int = 0
    checksum: Checksum = "unknown"
    error: str = ""


def survey(name: str, folder: AnyPath | None = None) -> Finding:
    """A benchmark's figures, or its error."""
    benchmark = _named(name)
    file = benchmark.hub.id if folder is None else benchmark.file
    try:
        loaded = read_benchmark(name, folder)
    except InputError as error:
        return Finding(name, file, error=str(error))
    answers: dict[str, list[str]] = collections.defaultdict(list)
    for problem in loaded.problems:
        answers[problem.question].append(problem.answer)
    repeated = sum(len(found) > 1 for found in answers.values())
    contradicting = sum(len(set(found)) > 1 for found in answers.values())
    counts = (loaded.rows, len(loaded.problems), len(answers), repeated, contradicting)
    return Finding(name, file, *counts, loaded.checksum)


def table(findings: Sequence[Finding]) -> str:
    """The findings for people; errors below."""
    wide = max(len(finding.file) for finding in findings)
    head = f"{'rows':>8}{'usable':>8}{'questions':>11}{'repeated':>10}{'contradicting':>15}  checksum"
    lines = [f"{'benchmark':15}{'file':{wide}}{head}"]
    for found in findings:
        questions = f"{found.distinct:11,}{found.repeated:10,}{found.contradicting:15,}"
        figures = f"{found.rows:8,}{found.usable:8,}{questions}  {found.checksum}"
        lines.append(f"{found.name:15}{found.file:{wide}}{'  error, see below' if found.error else figures}")
    return "\n".join([*lines, *(f"{found.name}: {found.error}" for found in findings if found.error)])


@dataclasses.dataclass(frozen=True)
class Flags:
    """What is checked.

    Attributes:
      folder: with files in the released layout; without one, the Hub is asked.
      names: of the benchmarks.
      json: file that the figures are written to.
    """

    folder: str | None = None
    names: tuple[str, ...] = tuple(BENCHMARKS)
    json: str | None = None


def main() -> int:
    flags = tyro.cli(Flags, description=__doc__)
    if not flags.names:
        raise InputError("--names names no benchmark")
    for name in flags.names:
        _named(name)  # before anything is loaded
    findings = [survey(name, flags.folder) for name in flags.names]
    print(table(findings))
    if flags.json is not None:
        write_json(flags.json, [dataclasses.asdict(finding) for finding in findings])
    return EXIT_BAD_INPUT if any(finding.error for finding in findings) else 0


if __name__ == "__main__":
    run_main(main)
