"""Rows on disk."""

from __future__ import annotations

import math

import pyarrow.parquet as pq

from rstar_jax.evaluation.results import NO_GROUP, Parts, TrajectoryRow, by_method, read_rows, write_rows
from rstar_jax.problems.problem import Problem

ROWS = [
    TrajectoryRow("p/ü", "search", 1, 2, "½", 0, 0.25, True, True, 7, 3, 2, 0.5, "answer", ("a", "b"), (math.nan, 0.2)),
    TrajectoryRow("p/ü", "search", 0, 0, None, NO_GROUP, math.nan, False, False, 9, 0, 1, 0.25, "error"),
]


def test_round_trip(tmp_path):
    write_rows(tmp_path / "rows.parquet", ROWS)
    assert repr(read_rows(tmp_path / "rows.parquet")) == repr(ROWS)
    assert [entry.name for entry in tmp_path.iterdir()] == ["rows.parquet"]


def test_no_rows_keep_the_schema(tmp_path):
    write_rows(tmp_path / "rows.parquet", [])
    assert read_rows(tmp_path / "rows.parquet") == []
    assert "scored_tokens" in pq.read_schema(tmp_path / "rows.parquet").names


def test_by_method_orders_by_index():
    assert [row.index for row in by_method(ROWS)["search"]["p/ü"]] == [0, 1]


def test_parts_know_what_is_done(tmp_path):
    parts = Parts(tmp_path)
    here, changed = Problem("p/ü", "1 + 1?", "2"), Problem("p/ü", "1 + 2?", "3")
    assert parts.done([here]) == []
    parts.write(here, ROWS)
    assert parts.done([here, changed]) == [here]
    assert repr(parts.read(here)) == repr(ROWS)


def test_leftovers_of_a_killed_writer_are_removed(tmp_path):
    """Of those problems only: others may be under way on other machines."""
    parts, (mine, other) = Parts(tmp_path), [Problem(name, "What?", "1") for name in "ab"]
    for problem in (mine, other):
        parts.write(problem, [])
    for file in list(tmp_path.iterdir()):
        file.rename(file.with_name(f"{file.name}.tmp-0123456789ab"))
    parts.clear_up([mine])
    assert len(list(tmp_path.iterdir())) == 1
    parts.clear_up([other])
    assert list(tmp_path.iterdir()) == []