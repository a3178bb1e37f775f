"""Trees in Parquet files: a row a tree, its nodes as a list of structs.

Anything that reads Parquet reads them, also `datasets.load_dataset("parquet", data_files=...)`. Values that
were never set (NaN in memory) are null. Text that UTF-8 cannot hold, half a surrogate pair, is stored as
U+FFFD. The metadata of a file sum it up, so that thousands of files can be surveyed without reading a tree.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import importlib.metadata
import json
import math
import platform
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq
from etils import epath

from rstar_jax import files
from rstar_jax.errors import InputError
from rstar_jax.problems.problem import Problem
from rstar_jax.search.config import SearchConfig
from rstar_jax.search.tree import NO_PARENT, Refused, Tree

NODE_TYPE = pa.struct(
    [
        ("parent", pa.int32()),
        ("depth", pa.int32()),
        ("text", pa.string()),
        ("kind", pa.string()),
        ("closed", pa.bool_()),
        ("drawn", pa.int32()),
        ("visits", pa.int32()),
        ("value_sum", pa.float64()),
        ("first_value", pa.float64()),
        ("ppm", pa.float64()),
        ("correct", pa.bool_()),
        ("answer", pa.string()),
        ("count", pa.int32()),
        ("logprob", pa.float64()),
        ("n_tokens", pa.int32()),
        ("outcome", pa.string()),
        ("output", pa.string()),
        ("errors", pa.int32()),
        ("created_at", pa.int32()),
    ]
)
REFUSED_TYPE = pa.struct(
    [
        ("node", pa.int32()),
        ("text", pa.string()),
        ("reason", pa.string()),
        ("n_tokens", pa.int32()),
        ("output", pa.string()),
        ("created_at", pa.int32()),
    ]
)
SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("question", pa.string()),
        ("answer", pa.string()),
        ("level", pa.string()),
        ("source", pa.string()),
        ("seed", pa.int64()),
        ("tree_index", pa.int32()),
        ("config", pa.string()),  # SearchConfig as JSON
        ("config_hash", pa.string()),
        ("versions", pa.string()),  # of Python and of what ran the search, as JSON
        ("rollouts", pa.int32()),
        ("tokens", pa.int64()),
        ("proposals", pa.int64()),
        ("executions", pa.int64()),
        ("scored", pa.int64()),
        ("nodes", pa.list_(NODE_TYPE)),
        ("refused", pa.list_(REFUSED_TYPE)),
    ]
)
ROWS_PER_GROUP = 64  # trees that a reader has to hold at a time
SUMMARY = "rstar_jax.summary"  # its name among a file's metadata

_NODE_FIELDS = [field.name for field in NODE_TYPE]
_TOTALS = ("rollouts", "tokens", "proposals", "executions", "scored")
_NULL_WHEN_NAN = ("first_value", "ppm")
_HALF_PAIR = re.compile("[\ud800-\udfff]")
_VERSIONED = ("rstar_jax", "jax", "sympy", "numpy", "scipy")


class NoSuchFile(InputError):
    """A file of trees is not there, or no longer."""


@dataclasses.dataclass
class Summary:
    """Of a file of trees. levels: (problems, solved ones), where any tree of a problem may solve it."""

    problems: int = 0
    trees: int = 0
    tokens: int = 0
    levels: dict[str, tuple[int, int]] = dataclasses.field(default_factory=dict)

    def __add__(self, other: Summary) -> Summary:
        names = self.levels | other.levels
        pairs = {name: (self.levels.get(name, (0, 0)), other.levels.get(name, (0, 0))) for name in names}
        levels = {name: (a[0] + b[0], a[1] + b[1]) for name, (a, b) in pairs.items()}
        return Summary(self.problems + other.problems, self.trees + other.trees, self.tokens + other.tokens, levels)


def read_summary(path: files.AnyPath) -> Summary:
    """What a file of trees says of itself. Raises InputError if it is none, NoSuchFile if it is not there."""
    with _opened(path) as raw:
        found = (_parquet(raw, str(path)).metadata.metadata or {}).get(SUMMARY.encode())
    if found is None:
        raise InputError(f"{path}: a Parquet file, but not one that rstar_jax has written")
    fields = json.loads(found)
    return Summary(**fields | {"levels": {name: tuple(pair) for name, pair in fields["levels"].items()}})


class _Counting:
    """Sums up rows while they are written."""

    def __init__(self) -> None:
        self.trees = self.tokens = 0
        self._solved: dict[str, tuple[str, bool]] = {}

    def add(self, row: pa.Table) -> None:
        name, level = row["id"][0].as_py(), row["level"][0].as_py()
        solved = row["nodes"].combine_chunks().flatten().field("correct").true_count > 0
        self._solved[name] = level, solved or self._solved.get(name, (level, False))[1]
        self.trees += 1
        self.tokens += row["tokens"][0].as_py()

    def summary(self) -> Summary:
        found = Summary(trees=self.trees, tokens=self.tokens)
        return sum((Summary(1, levels={level: (1, int(solved))}) for level, solved in self._solved.values()), found)


def write_trees(path: files.AnyPath, trees: Iterable[Tree]) -> None:
    """Write trees in the order given, whole or not at all."""
    write_tables(path, map(to_table, trees))


def read_trees(path: files.AnyPath) -> list[Tree]:
    """All trees of a file. Raises InputError if there is no such file or it holds something else."""
    return list(iterate_trees(path))


def iterate_trees(path: files.AnyPath) -> Iterator[Tree]:
    """The trees of a file, one in memory at a time. Raises InputError."""
    for table in iterate_tables(path):
        yield from map(_from_row, table.to_pylist())


def problem_ids(path: files.AnyPath) -> list[str]:
    """Ids of the problems of a file, each once, in the order of their first trees. Raises InputError."""
    return list(dict.fromkeys(table["id"][0].as_py() for table in iterate_tables(path, ["id"])))


def trees_of_problem(path: files.AnyPath, problem: str) -> list[Tree]:
    """The trees of one problem, the only ones that are unpacked. Raises InputError."""
    tables = (table for table in iterate_tables(path) if table["id"][0].as_py() == problem)
    return [_from_row(row) for table in tables for row in table.to_pylist()]


def to_table(tree: Tree) -> pa.Table:
    """One row of `SCHEMA`."""
    return pa.Table.from_pylist([_to_row(tree)], schema=SCHEMA)


def write_tables(path: files.AnyPath, tables: Iterable[pa.Table]) -> Summary:
    """Write rows of `SCHEMA`; the bytes depend on the rows only, not on how they are cut into tables."""
    with files.atomic_write(path, "wb") as file, pq.ParquetWriter(file, SCHEMA, compression="zstd") as writer:
        waiting: list[pa.Table] = []
        counting = _Counting()
        for table in tables:
            for place in range(table.num_rows):
                waiting.append(table.slice(place, 1))
                counting.add(waiting[-1])
                if len(waiting) == ROWS_PER_GROUP:
                    writer.write_table(pa.concat_tables(waiting).combine_chunks())
                    waiting = []
        if waiting:
            writer.write_table(pa.concat_tables(waiting).combine_chunks())
        found = counting.summary()
        writer.add_key_value_metadata({SUMMARY: json.dumps(dataclasses.asdict(found), sort_keys=True)})
    return found


def iterate_tables(path: files.AnyPath, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
    """The rows of a file as tables of one row; only some columns if asked. Raises InputError."""
    for group in _groups(path, columns):
        table = group.replace_schema_metadata(None)
        for place in range(table.num_rows):
            yield table.slice(place, 1)


def _groups(path: files.AnyPath, columns: Sequence[str] | None) -> Iterator[pa.Table]:
    name = str(path)
    with _opened(path) as raw:
        file = _parquet(raw, name)
        if not file.schema_arrow.equals(SCHEMA):
            raise InputError(f"{name}: a Parquet file, but not of search trees")
        for place in range(file.num_row_groups):
            yield file.read_row_group(place, columns)


@contextlib.contextmanager
def _opened(path: files.AnyPath) -> Iterator[IO[bytes]]:
    try:
        raw = epath.Path(path).open("rb")
    except FileNotFoundError:
        raise NoSuchFile(f"{path}: no such file") from None
    except IsADirectoryError:
        raise InputError(f"{path}: a folder, where a Parquet file is needed") from None
    with raw:
        yield raw


def _parquet(raw: Any, name: str) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(raw)
    except pa.ArrowInvalid as error:
        raise InputError(f"{name}: not a Parquet file ({error})") from None


def _to_row(tree: Tree) -> dict[str, Any]:
    columns = [_column(tree, name) for name in _NODE_FIELDS]
    return {
        **{name: storable(value) for name, value in vars(tree.problem).items()},
        "seed": tree.seed,
        "tree_index": tree.index,
        "config": json.dumps(dataclasses.asdict(tree.config), sort_keys=True),
        "config_hash": tree.config.hash(),
        "versions": versions(),
        **{name: getattr(tree, name) for name in _TOTALS},
        "nodes": [dict(zip(_NODE_FIELDS, values, strict=True)) for values in zip(*columns, strict=True)],
        "refused": [{name: storable(value) for name, value in vars(one).items()} for one in tree.refused],
    }


def _column(tree: Tree, name: str) -> list[Any]:
    values = getattr(tree, name)
    if name in _NULL_WHEN_NAN:
        return [None if math.isnan(value) else value for value in values]
    return [storable(value) for value in values]


def _from_row(row: dict[str, Any]) -> Tree:
    problem = Problem(**{field.name: row[field.name] for field in dataclasses.fields(Problem)})
    tree = Tree(problem, SearchConfig(**json.loads(row["config"])), row["seed"], row["tree_index"])
    for name in _TOTALS:
        setattr(tree, name, row[name])
    for node in row["nodes"]:
        for name in _NODE_FIELDS:
            value = node[name]
            getattr(tree, name).append(math.nan if value is None and name in _NULL_WHEN_NAN else value)
    tree.children = [[] for _ in tree.parent]
    for node, parent in enumerate(tree.parent):  # siblings are created in proposal order
        if parent != NO_PARENT:
            tree.children[parent].append(node)
    tree.refused = [Refused(**one) for one in row["refused"]]
    return tree


def storable(value: Any) -> Any:
    """Text that UTF-8 can hold; other values as they are."""
    return _HALF_PAIR.sub("\ufffd", value) if isinstance(value, str) else value


@functools.cache
def versions() -> str:
    """Versions of Python and of packages that trees may depend on, as JSON; null: not installed."""
    found: dict[str, str | None] = {"python": platform.python_version()}
    for name in _VERSIONED:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = None
    return json.dumps(found)
