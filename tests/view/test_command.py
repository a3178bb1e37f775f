"""The command, as a process."""

from __future__ import annotations

import asyncio
import pathlib
import subprocess
import sys
from types import ModuleType

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from rstar_jax.errors import InputError
from rstar_jax.search.store import write_trees
from rstar_jax.search.tree import Tree
from rstar_jax.view.__main__ import main


def view(folder: pathlib.Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "rstar_jax.view", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120)


@pytest.fixture
def folder(tmp_path: pathlib.Path, small: Tree, fakes: ModuleType) -> pathlib.Path:
    """trees.parquet with a problem of one tree and one of two; and empty.parquet."""
    twice = [asyncio.run(fakes.grow(fakes.SETTINGS["paper-1"], index=index)) for index in (0, 1)]
    write_trees(tmp_path / "trees.parquet", [small, *twice])
    write_trees(tmp_path / "empty.parquet", [])
    return tmp_path


def test_the_first_problem_is_shown_if_none_is_named(folder: pathlib.Path):
    done = view(folder, "trees.parquet")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "p-1.html: 6 nodes of p/1, tree 0",
        "trees.parquet holds 2 problems, 1 tree of this one; --list names them",
    ]
    text = (folder / "p-1.html").read_text(encoding="utf-8")
    assert text.startswith("<!doctype html>")
    assert '"file":"trees.parquet"' in text


def test_a_problem_a_tree_and_a_file_may_be_named(folder: pathlib.Path):
    done = view(folder, "trees.parquet", "--problem", "p", "--tree", "1", "--out", "pages/second.html")
    assert done.returncode == 0, done.stderr
    assert '"index":1,"of":[0,1]' in (folder / "pages" / "second.html").read_text(encoding="utf-8")
    assert view(folder, "trees.parquet", "--problem", "p", "--tree", "1").returncode == 0
    assert (folder / "p-tree1.html").exists()


def test_the_list_names_every_tree(folder: pathlib.Path):
    done = view(folder, "trees.parquet", "--list")
    assert done.returncode == 0, done.stderr
    head, *rows = [line.split() for line in done.stdout.splitlines()]
    assert head == ["nodes", "rollouts", "right", "answers", "tree", "problem"]
    assert rows[0] == ["6", "4", "1", "2", "0", "p/1"]
    assert [row[-2:] for row in rows[1:]] == [["0", "p"], ["1", "p"]]
    assert list(folder.glob("*.html")) == []


def test_bad_input_ends_in_one_sentence(folder: pathlib.Path):
    done = view(folder, "nowhere.parquet")
    assert done.returncode == 2
    assert (done.stdout, done.stderr) == ("", "Error: nowhere.parquet: no such file\n")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["."], ".: a folder, where a Parquet file is needed"),
        (["notes.txt"], "notes.txt: not a Parquet file"),
        (["other.parquet"], "other.parquet: a Parquet file, but not of search trees"),
        (["empty.parquet"], "empty.parquet: it holds no trees"),
        (["trees.parquet", "--problem", "q"], "trees.parquet: no problem 'q' in it (2 problems: p/1, p)"),
        (["trees.parquet", "--problem", "p", "--tree", "7"], "trees.parquet: p has no tree 7 in it (there are: 0, 1)"),
        (["trees.parquet", "--out", "notes.txt/page.html"], "notes.txt/page.html: a part of this path is a file"),
        (["trees.parquet", "--out", "."], ".: a folder, where a file is to be written"),
        (["trees.parquet", "--out", "gs://bucket/page.html"], "gs://bucket/page.html: only local paths"),
    ],
)
def test_the_sentence_says_what_is_wrong(
    folder: pathlib.Path, arguments: list[str], sentence: str, monkeypatch: pytest.MonkeyPatch
):
    (folder / "notes.txt").write_text("Nothing.")
    pq.write_table(pa.table({"id": ["p"]}), folder / "other.parquet")
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "argv", ["view", *arguments])
    with pytest.raises(InputError) as raised:
        main()
    assert str(raised.value).startswith(sentence)
    assert "\n" not in str(raised.value)
