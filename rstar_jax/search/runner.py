"""Searching many problems on one host: many trees at a time, and nothing lost when the process is killed.

    parts/<hash of the problem's id>.parquet   trees of a problem, written as soon as they are grown
    trees.parquet                              all trees, once there are all, by problem id and tree index
    spent.json                                 seconds on the clock and tokens, over all starts
    left_out.jsonl                             problems that the budget did not reach, if there are any

A second start does what is missing. Files are written under a temporary name and renamed, so a kill at any
moment costs the problems that were under way, and `trees.parquet` has the same bytes as after an undisturbed
run.
"""

from __future__ import annotations

import asyncio
import hashlib
import heapq
import pathlib
from collections.abc import Awaitable, Callable, Sequence

import pyarrow as pa

from rstar_jax import files
from rstar_jax.errors import InputError
from rstar_jax.problems.files import write_problems
from rstar_jax.problems.problem import Problem
from rstar_jax.search import store
from rstar_jax.search.budget import NO_LIMIT, Budget, Spent
from rstar_jax.search.progress import Progress, Status, make_progress
from rstar_jax.search.trajectories import n_correct
from rstar_jax.search.tree import Tree

Grow = Callable[[Problem], Awaitable[Sequence[Tree]]]
"""Grows all trees of a problem: one, or several with different indices. They must depend on nothing else."""

TREES = "trees.parquet"
PARTS = "parts"
RUN = "run.json"
LEFT_OUT = "left_out.jsonl"
KEY_COLUMNS = ("id", "tree_index")


async def run(
    problems: Sequence[Problem],
    grow: Grow,
    folder: files.AnyPath,
    *,
    fingerprint: str,
    concurrency: int = 64,
    label: str = "search",
    status: Status | None = None,
    budget: Budget = NO_LIMIT,
) -> pathlib.Path:
    """Search the problems that are not finished yet and return the path of `trees.parquet`.

    fingerprint: names everything that the trees depend on (settings, seed, models). concurrency: problems
    under way at a time. status: words for the progress line. budget: when to leave the rest out, in the order of the
    problems. What `grow` raises ends the run; what is finished by then stays.

    Raises InputError if the folder was begun with another fingerprint, if an id occurs twice, or if a
    finished problem is another one than the problem with its id.
    """
    folder = files.local_path(folder)
    by_id = {problem.id: problem for problem in problems}
    if len(by_id) != len(problems):
        raise InputError(f"{folder}: two of the problems to search have the same id")
    _begin(folder, fingerprint)
    done = _finished(folder, by_id)
    missing = [problem for problem in problems if problem.id not in done]
    left_out: list[Problem] = []
    if missing:
        progress = make_progress(len(problems), len(problems) - len(missing), label, status)
        spent = Spent(folder, sum(done.values()))
        try:
            left_out = await _grow_all(missing, grow, folder / PARTS, concurrency, progress, spent, budget)
        finally:
            progress.close()
            spent.write()
    _merge(folder)
    _name_left_out(folder, left_out)
    return folder / TREES


async def _grow_all(
    problems: Sequence[Problem],
    grow: Grow,
    parts: pathlib.Path,
    concurrency: int,
    progress: Progress,
    spent: Spent,
    budget: Budget,
) -> list[Problem]:
    """Returns the problems that the budget did not reach."""
    waiting = iter(problems)

    async def work() -> None:
        while not spent.reaches(budget) and (problem := next(waiting, None)) is not None:  # shared by all workers
            trees = sorted(await grow(problem), key=lambda tree: tree.index)
            if not trees:
                raise ValueError(f"no tree was grown for problem {problem.id!r}")
            await asyncio.to_thread(store.write_trees, _part(parts, problem.id), trees)
            tokens = sum(tree.tokens for tree in trees)
            spent.add(tokens)
            progress.advance(any(map(n_correct, trees)), tokens)

    async with asyncio.TaskGroup() as group:
        for _ in range(min(concurrency, len(problems))):
            group.create_task(work())
    return list(waiting)


def _begin(folder: pathlib.Path, fingerprint: str) -> None:
    """Claim the folder for this fingerprint and clear away what a killed run left half written."""
    note = folder / RUN
    if note.exists():
        before = files.read_json(note)["fingerprint"]
        if before != fingerprint:
            raise InputError(f"{folder}: begun with other settings ({before}, now {fingerprint}); use a new folder")
    else:
        files.write_json(note, {"fingerprint": fingerprint})
    (folder / PARTS).mkdir(exist_ok=True)
    for place in (folder, folder / PARTS):
        files.remove_stale(place)


def _finished(folder: pathlib.Path, problems: dict[str, Problem]) -> dict[str, int]:
    """Ids of the finished problems, with the tokens of their trees. Parts that are merged already are deleted."""
    done = _tokens(folder / TREES, problems) if (folder / TREES).exists() else {}
    for problem_id in done:
        _part(folder / PARTS, problem_id).unlink(missing_ok=True)
    for file in _part_files(folder):
        done |= _tokens(file, problems)
    return done


def _tokens(file: pathlib.Path, problems: dict[str, Problem]) -> dict[str, int]:
    """The problems in a file of trees, compared with those that are to be searched, and the tokens of their trees."""
    tokens: dict[str, int] = {}
    for table in store.iterate_tables(file, ["id", "question", "tokens"]):
        problem_id, question = table["id"][0].as_py(), table["question"][0].as_py()
        known = problems.get(problem_id)
        if known is not None and store.storable(known.question) != question:
            raise InputError(f"{file}: problem {problem_id!r} was searched before with another question")
        tokens[problem_id] = tokens.get(problem_id, 0) + table["tokens"][0].as_py()
    return tokens


def n_left_out(folder: pathlib.Path) -> int:
    """Problems that the budget did not reach in the search that lies in `folder`."""
    file = folder / LEFT_OUT
    return sum(1 for _ in files.iterate_jsonl(file)) if file.exists() else 0


def _name_left_out(folder: pathlib.Path, problems: Sequence[Problem]) -> None:
    if problems:
        write_problems(folder / LEFT_OUT, problems)
    else:
        (folder / LEFT_OUT).unlink(missing_ok=True)


def _merge(folder: pathlib.Path) -> None:
    """Make `trees.parquet` of itself and the parts, then delete the parts."""
    part_files = _part_files(folder)
    if part_files or not (folder / TREES).exists():
        parts = sorted(part_files, key=lambda file: _key(next(store.iterate_tables(file, KEY_COLUMNS))))
        new = (table for file in parts for table in store.iterate_tables(file))
        old = store.iterate_tables(folder / TREES) if (folder / TREES).exists() else iter(())
        store.write_tables(folder / TREES, heapq.merge(old, new, key=_key))
    for file in part_files:
        file.unlink()


def _part_files(folder: pathlib.Path) -> list[pathlib.Path]:
    return sorted((folder / PARTS).glob("*.parquet"))


def _part(parts: pathlib.Path, problem_id: str) -> pathlib.Path:
    """An id may hold any character and be of any length; a file name may not."""
    digest = hashlib.blake2b(problem_id.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
    return parts / f"{digest}.parquet"


def _key(table: pa.Table) -> tuple[str, int]:
    return table["id"][0].as_py(), table["tree_index"][0].as_py()
