"""What an evaluation leaves on disk: one row per trajectory, one Parquet part per problem.

A part is written under a temporary name and renamed when all methods of its problem are done, so a part that
exists is complete and a killed evaluation redoes only the problems that were in flight.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterable, Sequence

import pyarrow as pa
import pyarrow.parquet as pq

from rstar_jax.files import AnyPath, atomic_write, local_path, remove_stale
from rstar_jax.problems.problem import Problem

_LISTS = ("text", "values")
NO_GROUP = -1
NO_TREE = -1
REST = "rest"

SCHEMA = pa.schema(
    [
        ("problem_id", pa.string()),
        ("method", pa.string()),
        ("index", pa.int32()),
        ("tree", pa.int32()),
        ("answer", pa.string()),
        ("group", pa.int32()),
        ("score", pa.float64()),
        ("strict", pa.bool_()),
        ("released", pa.bool_()),
        ("generated_tokens", pa.int64()),
        ("scored_tokens", pa.int64()),
        ("calls", pa.int64()),
        ("seconds", pa.float64()),
        ("outcome", pa.string()),
        ("text", pa.list_(pa.string())),
        ("values", pa.list_(pa.float64())),
    ]
)


@dataclasses.dataclass(frozen=True)
class TrajectoryRow:
    """One trajectory of one problem.

    index: order within (problem, method), from 0. tree: which of the searches found it, NO_TREE for single
    trajectories. answer: None if the trajectory gave none. group: the index of the first trajectory of the same
    (problem, method) with an equivalent answer, NO_GROUP without answer. score: the PPM's value of the last step in
    [-1, 1], NaN if it was not asked. strict, released: right or not by each grader. outcome: how it ended
    (`search.sampling.Ending`), or REST: no trajectory, but what a search spent on no answer. text: the steps with what
    their code printed (of plain solutions, the stretches between two outputs of the tool). values: the PPM's value of
    each step, empty if only the last was judged or none.

    Costs, which add up over a problem's rows to all that was spent on it: generated_tokens drawn from the policy;
    scored_tokens of steps that the PPM judged; calls of Python; seconds that the problem took, with as many others
    beside it as the evaluation's `concurrency` allowed. For answers of a tree they are what the search spent since its
    previous answer (`methods.tree_drafts`); seconds go by generated tokens.
    """

    problem_id: str
    method: str
    index: int
    tree: int
    answer: str | None
    group: int
    score: float
    strict: bool
    released: bool
    generated_tokens: int
    scored_tokens: int
    calls: int
    seconds: float
    outcome: str
    text: tuple[str, ...] = ()
    values: tuple[float, ...] = ()

    @property
    def steps(self) -> int:
        """Steps of the trajectory."""
        return len(self.text)


def to_table(rows: Sequence[TrajectoryRow]) -> pa.Table:
    return pa.Table.from_pylist([dataclasses.asdict(row) for row in rows], SCHEMA)


def from_table(table: pa.Table) -> list[TrajectoryRow]:
    """Rows; without texts and values if the table has none."""
    rows = table.select([name for name in SCHEMA.names if name in table.column_names]).to_pylist()
    lists = [name for name in _LISTS if name in table.column_names]
    return [TrajectoryRow(**row | {name: tuple(row[name]) for name in lists}) for row in rows]


def write_rows(path: AnyPath, rows: Sequence[TrajectoryRow]) -> None:
    """Write rows as Parquet under a temporary name, then rename."""
    with atomic_write(path, "wb") as file:
        pq.write_table(to_table(rows), file)


def write_tables(path: AnyPath, tables: Iterable[pa.Table]) -> None:
    """Write tables of rows one behind the other, one in memory at a time."""
    with atomic_write(path, "wb") as file, pq.ParquetWriter(file, SCHEMA) as writer:
        for table in tables:
            writer.write_table(table)


def read_rows(path: AnyPath, texts: bool = True) -> list[TrajectoryRow]:
    """The rows of a file; without texts and values where these are not needed, as they are nearly all of it."""
    columns = None if texts else [name for name in SCHEMA.names if name not in _LISTS]
    return from_table(pq.read_table(local_path(path), columns=columns))


def by_method(rows: Iterable[TrajectoryRow]) -> dict[str, dict[str, list[TrajectoryRow]]]:
    """Rows as `[method][problem id]`, each list in order of index."""
    grouped: dict[str, dict[str, list[TrajectoryRow]]] = {}
    for row in sorted(rows, key=lambda row: row.index):
        grouped.setdefault(row.method, {}).setdefault(row.problem_id, []).append(row)
    return grouped


class Parts:
    """The folder of finished problems, one file each."""

    def __init__(self, folder: AnyPath):
        self.folder = local_path(folder)

    def clear_up(self, problems: Iterable[Problem]) -> None:
        """Delete what killed evaluations of these problems left half written."""
        remove_stale(self.folder, {_part_name(problem) for problem in problems})

    def count(self) -> int:
        """Of finished problems, whichever they are."""
        return sum(1 for _ in self.folder.glob("*.parquet"))

    def done(self, problems: Iterable[Problem]) -> list[Problem]:
        """Those of the given problems whose part exists (one listing of the folder)."""
        present = {entry.name for entry in self.folder.glob("*.parquet")}
        return [problem for problem in problems if _part_name(problem) in present]

    def write(self, problem: Problem, rows: Sequence[TrajectoryRow]) -> None:
        write_rows(self.folder / _part_name(problem), rows)

    def table(self, problem: Problem) -> pa.Table:
        return pq.read_table(self.folder / _part_name(problem))

    def read(self, problem: Problem, texts: bool = True) -> list[TrajectoryRow]:
        return read_rows(self.folder / _part_name(problem), texts)


def _part_name(problem: Problem) -> str:
    """A digest, since ids are arbitrary text; with another question or answer it is another problem."""
    text = "\x1f".join((problem.id, problem.question, problem.answer))
    return hashlib.blake2b(text.encode("utf-8", "backslashreplace"), digest_size=12).hexdigest() + ".parquet"
