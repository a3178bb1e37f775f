"""Makes the problems of a run from published data sets: answers taken out, cleaned, no copies, none of the evaluation.

    python experiments/prepare_problems.py --out runs/problems --against evaluation/
    python experiments/prepare_problems.py --out runs/small --sets gsm8k=gsm.json math=math.parquet --against eval/

Without `--sets` these are NuminaMath (its competition part) and MetaMath of the Hugging Face Hub, as in section 3.4.1
of the paper; synthetic problems (`synthesize_problems.py`) come in by `--add synthetic.jsonl`. `NAME=PATH` reads a set
from a file or folder. `--against` names the problem files, or folders of them, that training must not have seen; what
each of them cost is in OUT/report.json and, row by row, in OUT/overlaps.jsonl.

OUT/problems.jsonl is what a config names as `train_file`. Hardware: any; about a kilobyte of memory a problem.
"""

from __future__ import annotations

import dataclasses
import itertools
import pathlib
from collections.abc import Iterator

import tyro

from rstar_jax.errors import InputError, run_main
from rstar_jax.problems.cleaning import CLEANING, CleaningConfig
from rstar_jax.problems.duplicates import NEAR
from rstar_jax.problems.files import read_problems
from rstar_jax.problems.prepare import PROBLEMS, REPORT, prepare, table, write
from rstar_jax.problems.problem import Problem
from rstar_jax.problems.published import PUBLISHED, Candidate, candidates
from rstar_jax.progress import tracked


@dataclasses.dataclass(frozen=True, kw_only=True)
class Flags:
    """From what, to where.

    Attributes:
      out: folder of the result; one that holds a result is refused.
      sets: names of published sets, or NAME=PATH.
      numina_parts: what of NuminaMath is taken.
      add: problem files of any kind, cleaned like the others.
      against: problem files of the evaluation, or folders of them.
      nothing_to_compare: make a set without an evaluation to keep apart from.
      near: similarity from which on two problems are the same (`rstar_jax.problems.duplicates`); above 1: exact only.
      cleaning: what is kept (`rstar_jax.problems.cleaning`).
    """

    out: pathlib.Path
    sets: tuple[str, ...] = ("numina", "metamath")
    numina_parts: tuple[str, ...] = PUBLISHED["numina"].parts
    add: tuple[pathlib.Path, ...] = ()
    against: tuple[pathlib.Path, ...] = ()
    nothing_to_compare: bool = False
    near: float = NEAR
    cleaning: CleaningConfig = CLEANING


def rows(flags: Flags) -> Iterator[Candidate]:
    for given in flags.sets:
        name, _, place = given.partition("=")
        if name not in PUBLISHED:
            raise InputError(f"--sets {given}: the sets are {', '.join(PUBLISHED)}; other problems go into --add")
        parts = flags.numina_parts if name == "numina" else None
        yield from candidates(name, place or None, parts)
    for file in flags.add:
        for problem in read_problems(file):
            source = problem.source or file.stem
            yield Candidate(problem.question, problem.answer, problem.level, source, str(file))


def evaluation(flags: Flags) -> dict[str, list[Problem]]:
    """The benchmarks by the names of their files."""
    if not flags.against and not flags.nothing_to_compare:
        raise InputError("--against names the problem files of the evaluation (or say --nothing-to-compare)")
    files = list(itertools.chain.from_iterable(_problem_files(place) for place in flags.against))
    found: dict[str, list[Problem]] = {}
    for file in files:
        if file.stem in found:
            raise InputError(
                f"--against names two files called {file.stem}; rename one, the report goes by their names"
            )
        found[file.stem] = read_problems(file, skip_unusable=True)
    return found


def _problem_files(place: pathlib.Path) -> list[pathlib.Path]:
    if not place.is_dir():
        return [place]
    found = sorted(file for file in place.iterdir() if file.suffix in (".json", ".jsonl"))
    if not found:
        raise InputError(f"{place}: no problem files (.json, .jsonl) in it")
    return found


def main() -> None:
    flags = tyro.cli(Flags, description=__doc__)
    if (flags.out / REPORT).exists():
        raise InputError(f"{flags.out} holds a result already; choose another folder")
    tests = evaluation(flags)
    prepared = prepare(tracked(rows(flags), "read", "rows"), tests, flags.cleaning, flags.near)
    write(prepared, flags.out)
    print(table(prepared.report()))
    print(f"problems: {flags.out / PROBLEMS}")


if __name__ == "__main__":
    run_main(main)
