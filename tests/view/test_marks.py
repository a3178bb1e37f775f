"""Which trajectories and pairs are marked, and where that is known from."""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib

import pytest

from rstar_jax.datasets.build import build
from rstar_jax.datasets.pairs import pair_rows
from rstar_jax.datasets.select import SftRule
from rstar_jax.datasets.sft import sft_rows
from rstar_jax.errors import InputError
from rstar_jax.search.store import write_trees
from rstar_jax.search.tree import Tree
from rstar_jax.view.marks import find_marks


@pytest.fixture
def run(tmp_path: pathlib.Path, small: Tree, large: Tree) -> pathlib.Path:
    """A round of a run: a shard of two problems, and data by a rule that is not the default."""
    write_trees(tmp_path / "round2" / "trees" / "shard-00000.parquet", [small, large])
    build([[small], [large]], tmp_path / "round2" / "data", SftRule(top=1))
    return tmp_path / "round2"


def test_data_of_a_run_are_read(run: pathlib.Path, large: Tree):
    found = find_marks(run / "trees" / "shard-00000.parquet", [large])
    assert found.origin == "Read from this run's round2/data."
    assert len(found.sft) == 1
    assert found.sft == sft_rows([large], SftRule(top=1))
    assert found.pairs == pair_rows([large])
    assert {row["kind"] for row in found.pairs} == {"step", "final"}


def test_a_path_may_be_relative(run: pathlib.Path, small: Tree, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(run / "trees")
    assert "round2/data" in find_marks("shard-00000.parquet", [small]).origin


@pytest.mark.parametrize("lacking", ["data/sft.jsonl", "data/pairs.jsonl"])
def test_without_data_the_default_rules_choose(run: pathlib.Path, large: Tree, lacking: str):
    os.remove(run / lacking)
    found = find_marks(run / "trees" / "shard-00000.parquet", [large])
    assert "default rules" in found.origin
    assert len(found.sft) == 2
    assert found.sft == sft_rows([large])


def test_trees_that_lie_elsewhere_have_no_data(run: pathlib.Path, large: Tree):
    (run / "trees").rename(run / "searched")
    assert "default rules" in find_marks(run / "searched" / "shard-00000.parquet", [large]).origin


@pytest.mark.parametrize("name", ["sft", "pairs"])
def test_data_of_other_trees_are_refused(run: pathlib.Path, small: Tree, name: str):
    other = dataclasses.replace(small, text=[text.replace("1 + 1", "2 + 0") for text in small.text])
    if name == "pairs":
        (run / "data" / "sft.jsonl").write_text("")
    with pytest.raises(InputError, match=rf"{name}\.jsonl, line 1: .* other trees$"):
        find_marks(run / "trees" / "shard-00000.parquet", [other])


@pytest.mark.parametrize(("name", "field"), [("sft", "nodes"), ("pairs", "neg_node")])
def test_rows_without_their_origin_are_refused(run: pathlib.Path, small: Tree, name: str, field: str):
    file = run / "data" / f"{name}.jsonl"
    row = json.loads(file.read_text().splitlines()[0])
    del row[field]
    file.write_text("\n" + json.dumps(row) + "\n")
    with pytest.raises(InputError, match=rf"{name}\.jsonl, line 2: .* it has no '{field}'$"):
        find_marks(run / "trees" / "shard-00000.parquet", [small])
