"""Trees in Parquet files."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import pathlib
from types import ModuleType

import pyarrow.parquet as pq
import pytest

from rstar_jax.errors import InputError
from rstar_jax.search import presets, store
from rstar_jax.search.mcts import extend
from rstar_jax.search.tree import Tree


@pytest.fixture(scope="module")
def trees(fakes: ModuleType) -> list[Tree]:
    names = [presets.released("eval"), presets.default("sample"), presets.default("bootstrap")]
    settings = [dataclasses.replace(config, rollouts=6) for config in names]
    return [asyncio.run(fakes.grow(config, index=place)) for place, config in enumerate(settings)]


def test_round_trip_is_exact(trees: list[Tree], tmp_path: pathlib.Path, fakes: ModuleType):
    store.write_trees(tmp_path / "trees.parquet", trees)
    again = store.read_trees(tmp_path / "trees.parquet")
    assert [fakes.content(tree) for tree in again] == [fakes.content(tree) for tree in trees]


def test_a_tree_that_was_read_can_be_extended(tmp_path: pathlib.Path, fakes: ModuleType):
    config = presets.released("sample")
    store.write_trees(tmp_path / "t.parquet", [asyncio.run(fakes.grow(dataclasses.replace(config, rollouts=3)))])
    (tree,) = store.read_trees(tmp_path / "t.parquet")
    tools = (fakes.FakeProposer(), fakes.FakeExecutor(), fakes.FakeGrader(), fakes.FakeScorer())
    whole = asyncio.run(fakes.grow(dataclasses.replace(config, rollouts=7)))
    assert fakes.content(asyncio.run(extend(tree, 4, *tools))) == fakes.content(whole)


def test_columns(trees: list[Tree], tmp_path: pathlib.Path):
    store.write_trees(tmp_path / "trees.parquet", trees)
    rows = pq.read_table(tmp_path / "trees.parquet").to_pylist()
    assert [row["tree_index"] for row in rows] == [0, 1, 2]
    assert rows[0]["config_hash"] == trees[0].config.hash()
    assert json.loads(rows[0]["versions"])["python"].startswith("3.")
    assert rows[0]["nodes"][0] | {"text": "", "kind": "root", "ppm": None, "correct": None} == rows[0]["nodes"][0]


def test_half_a_surrogate_pair_is_replaced(trees: list[Tree], tmp_path: pathlib.Path):
    tree = dataclasses.replace(trees[0], text=[*trees[0].text[:-1], "a\ud800b"])
    store.write_trees(tmp_path / "t.parquet", [tree])
    assert store.read_trees(tmp_path / "t.parquet")[0].text[-1] == "a\ufffdb"


def test_bytes_do_not_depend_on_how_rows_are_cut(trees: list[Tree], tmp_path: pathlib.Path):
    store.write_trees(tmp_path / "a.parquet", trees * 50)
    store.write_tables(tmp_path / "b.parquet", [pq.read_table(tmp_path / "a.parquet")])
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()


def test_a_file_sums_itself_up(trees: list[Tree], tmp_path: pathlib.Path):
    """A problem counts once, and is solved if any of its trees solved it."""
    unsolved = dataclasses.replace(trees[1], correct=[None for _ in trees[1].correct])
    hard = dataclasses.replace(trees[1].problem, id="hard", level="Olympiad-level")
    store.write_trees(tmp_path / "t.parquet", [unsolved, trees[1], dataclasses.replace(unsolved, problem=hard)])
    found = store.read_summary(tmp_path / "t.parquet")
    levels = {trees[1].problem.level: (1, 1), "Olympiad-level": (1, 0)}
    assert found == store.Summary(2, 3, 3 * trees[1].tokens, levels)
    twice = {trees[1].problem.level: (2, 2), "Olympiad-level": (2, 0)}
    assert found + found == store.Summary(4, 6, 6 * trees[1].tokens, twice)
    pq.write_table(store.pa.table({"a": [1]}), tmp_path / "other.parquet")
    with pytest.raises(InputError, match="not one that rstar_jax has written"):
        store.read_summary(tmp_path / "other.parquet")


def test_other_files_are_refused(tmp_path: pathlib.Path):
    text = tmp_path / "text.parquet"
    text.write_text("no")
    other = tmp_path / "other.parquet"
    pq.write_table(store.pa.table({"a": [1]}), other)
    for file, reason in ((tmp_path / "none", "no such file"), (text, "not a Parquet file"), (other, "not of search")):
        with pytest.raises(InputError, match=reason):
            store.read_trees(file)


def test_hugging_face_datasets_reads_it(trees: list[Tree], tmp_path: pathlib.Path):
    datasets = pytest.importorskip("datasets")
    store.write_trees(tmp_path / "trees.parquet", trees)
    rows = datasets.load_dataset(
        "parquet", data_files=str(tmp_path / "trees.parquet"), split="train", cache_dir=str(tmp_path / "cache")
    )
    assert [len(row["nodes"]) for row in rows] == [len(tree) for tree in trees]
