"""A search over many problems on disk. It is cut into shards: what a host takes at a time, and a file of trees each.

    run.json                      what the trees depend on, and how many problems make a shard
    shard-00042.parquet           the trees of its problems, in their order, once they are grown or the budget is spent
    parts/00042/<hash>.parquet    of a shard under way: the trees of one problem, written as soon as they are grown
    spent/<who>.json              tokens and hours of the processes that searched
    left_out.jsonl                problems that the budget did not reach, if there are any

Everything is written under a temporary name and renamed. A shard that is under way belongs to one process; should two
believe that they have it (one was taken for dead), both write the same trees, and nothing is lost or doubled: who finds
that a part has gone looks again, since then it stands in the shard's file.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import pathlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeVar

import pyarrow as pa

from rstar_jax import files
from rstar_jax.errors import InputError
from rstar_jax.problems.files import write_problems
from rstar_jax.problems.problem import Problem
from rstar_jax.search import store
from rstar_jax.search.budget import NO_LIMIT, Budget, stopped_by
from rstar_jax.search.store import Summary
from rstar_jax.search.tree import Tree

T = TypeVar("T")

RUN = "run.json"
PARTS = "parts"
LEFT_OUT = "left_out.jsonl"
SHARD_PROBLEMS = 256
_SHARDS = "shard-*.parquet"
_ATTEMPTS = 3  # at files that another process merges at the same time


@dataclasses.dataclass(frozen=True)
class Shard:
    """Consecutive problems of a search, and where their trees are. number: from 0."""

    folder: pathlib.Path
    number: int
    problems: tuple[Problem, ...]

    @property
    def file(self) -> pathlib.Path:
        return shard_file(self.folder, self.number)

    @property
    def parts(self) -> pathlib.Path:
        return self.folder / PARTS / f"{self.number:05d}"

    def part(self, problem: Problem) -> pathlib.Path:
        """An id may hold any character and be of any length; a file name may not."""
        digest = hashlib.blake2b(problem.id.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
        return self.parts / f"{digest}.parquet"


def shard_file(folder: pathlib.Path, number: int) -> pathlib.Path:
    return folder / f"shard-{number:05d}.parquet"


def begin(
    folder: files.AnyPath, problems: Sequence[Problem], fingerprint: str, shard_problems: int = SHARD_PROBLEMS
) -> list[Shard]:
    """Claim a folder for a search, or go on with the one that was begun there, which keeps the size of its shards.

    fingerprint: names everything that the trees depend on besides the problems.

    Raises InputError if the folder was begun with other problems or another fingerprint, or if an id occurs twice.
    """
    folder = files.local_path(folder)
    if shard_problems < 1:
        raise ValueError(f"a shard cannot have {shard_problems} problems")
    if len({problem.id for problem in problems}) != len(problems):
        raise InputError(f"{folder}: two of the problems to search have the same id")
    wanted = {"fingerprint": fingerprint, "problems": _digest(problems)}
    if not (folder / RUN).exists():
        files.write_json(folder / RUN, wanted | {"shard_problems": shard_problems, "n_problems": len(problems)})
    found = _about(folder)
    for name, what in (("fingerprint", "settings"), ("problems", "problems")):
        if found[name] != wanted[name]:
            raise InputError(
                f"{folder}: begun with other {what} ({found[name]}, now {wanted[name]}); use a new folder"
            )
    size = found["shard_problems"]
    starts = range(0, len(problems), size)
    return [Shard(folder, number, tuple(problems[at : at + size])) for number, at in enumerate(starts)]


def _about(folder: pathlib.Path) -> dict[str, Any]:
    """Of the search that was begun in the folder. Raises InputError: what lies there is from another version."""
    found = files.read_json(folder / RUN)
    if not found.keys() >= {"fingerprint", "problems", "shard_problems", "n_problems"}:
        raise InputError(f"{folder / RUN}: not of a search that this version can go on with")
    return found


def _digest(problems: Sequence[Problem]) -> str:
    digest = hashlib.sha256()
    for problem in problems:
        text = "\x1f".join((problem.id, problem.question, problem.answer))
        digest.update(text.encode("utf-8", "surrogatepass") + b"\x1e")
    return digest.hexdigest()[:16]


@dataclasses.dataclass(frozen=True)
class Survey:
    """Of some shards: those in whose files problems are missing, and the sum of all others."""

    missing: tuple[Shard, ...]
    done: Summary

    @property
    def n_problems(self) -> int:
        return self.done.problems + sum(len(shard.problems) for shard in self.missing)


def survey(shards: Iterable[Shard]) -> Survey:
    """Told from the footers of files, so it is quick for any number of problems."""
    missing, done = [], Summary()
    for shard in shards:
        summary = store.read_summary(shard.file) if shard.file.exists() else Summary()
        if summary.problems < len(shard.problems):
            missing.append(shard)
        else:
            done += summary
    return Survey(tuple(missing), done)


# --- One shard ----------------------------------------------------------------------------------------


def resume(shard: Shard) -> dict[str, int]:
    """Clear away what a killed process left half written; the ids of the finished problems with their tokens."""
    shard.parts.mkdir(parents=True, exist_ok=True)
    files.remove_stale(shard.parts)
    files.remove_stale(shard.folder, {shard.file.name})
    return _while_parts_go(lambda: _finished(shard))


def _finished(shard: Shard) -> dict[str, int]:
    parts = _parts(shard)
    done = _tokens(shard.file) if shard.file.exists() else {}
    for problem in shard.problems:
        if problem.id not in done and shard.part(problem) in parts:
            done |= _tokens(shard.part(problem))
    return done


def commit(shard: Shard) -> None:
    """Write the shard's file of itself and of its parts, then delete the parts."""
    _while_parts_go(lambda: _commit(shard))
    with contextlib.suppress(OSError):  # not empty, as another process has it too, or gone
        shard.parts.rmdir()


def _commit(shard: Shard) -> None:
    parts = _parts(shard)
    if parts or not shard.file.exists():
        written = store.write_tables(shard.file, _tables(shard, parts))
        if store.read_summary(shard.file).problems < written.problems:
            raise store.NoSuchFile(f"{shard.file}: another process has just written it with fewer problems")
    for part in parts:
        part.unlink(missing_ok=True)


def _parts(shard: Shard) -> set[pathlib.Path]:
    """Those that there are now."""
    return set(shard.parts.glob("*.parquet"))


def _while_parts_go(work: Callable[[], T]) -> T:
    """`work()`, again if a part that it had seen is gone: another process has merged it."""
    for _ in range(_ATTEMPTS):
        with contextlib.suppress(store.NoSuchFile):
            return work()
    return work()


def _tables(shard: Shard, parts: set[pathlib.Path]) -> Iterator[pa.Table]:
    """All rows in the order of the problems; of those that stand in the file and in a part, the part's."""
    old: dict[str, list[pa.Table]] = {}
    for table in store.iterate_tables(shard.file) if shard.file.exists() else ():
        old.setdefault(table["id"][0].as_py(), []).append(table)
    for problem in shard.problems:
        part = shard.part(problem)
        yield from store.iterate_tables(part) if part in parts else old.get(problem.id, ())


def _tokens(file: pathlib.Path) -> dict[str, int]:
    """Tokens that the trees of each problem in a file took."""
    tokens: dict[str, int] = {}
    for table in store.iterate_tables(file, ["id", "tokens"]):
        name = table["id"][0].as_py()
        tokens[name] = tokens.get(name, 0) + table["tokens"][0].as_py()
    return tokens


# --- All of them --------------------------------------------------------------------------------------


def trees_of(folder: pathlib.Path) -> Iterator[Tree]:
    """All trees of a search in the order of its problems, one in memory at a time."""
    for file in shard_files(folder):
        yield from store.iterate_trees(file)


def shard_files(folder: pathlib.Path) -> list[pathlib.Path]:
    return sorted(folder.glob(_SHARDS))


def n_shards(folder: pathlib.Path) -> int | None:
    """How many a search has that was begun in the folder; None if none was."""
    if not (folder / RUN).exists():
        return None
    found = _about(folder)
    return -(-found["n_problems"] // found["shard_problems"])


def is_over(folder: pathlib.Path, budget: Budget = NO_LIMIT) -> bool:
    """Whether each shard has its file, and either no problem is missing there or it was this budget that stopped."""
    if n_shards(folder) != len(shard_files(folder)):
        return False
    return budget in stopped_by(folder) or summary_of(folder).problems == _about(folder)["n_problems"]


def summary_of(folder: pathlib.Path) -> Summary:
    """Of all shards that have a file."""
    return sum(map(store.read_summary, shard_files(folder)), Summary())


def write_left_out(folder: pathlib.Path, shards: Sequence[Shard]) -> int:
    """Once a search is over: name the problems that the budget did not reach, and return how many they are."""
    left = [problem for shard in survey(shards).missing for problem in _without_trees(shard)]
    if left:
        write_problems(folder / LEFT_OUT, left)
    else:
        (folder / LEFT_OUT).unlink(missing_ok=True)
    return len(left)


def _without_trees(shard: Shard) -> Iterator[Problem]:
    done = _tokens(shard.file)
    return (problem for problem in shard.problems if problem.id not in done)
