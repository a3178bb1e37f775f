"""Reading released rows: every kind of file gives the same rows, and a bad row is named."""

from __future__ import annotations

import importlib.util
import json
import pathlib
import tracemalloc

import pyarrow
import pyarrow.parquet
import pytest
from huggingface_hub.errors import LocalEntryNotFoundError

from rstar_jax.datasets.held_out import is_held_out, question_of
from rstar_jax.datasets.released import pair_rows, sft_rows
from rstar_jax.errors import InputError
from rstar_jax.rows import find_files

SAMPLES = pathlib.Path(__file__).parents[2].parent / "shared" / "data" / "official"
needs_samples = pytest.mark.skipif(not SAMPLES.exists(), reason="the authors' samples are not here")

_SPEC = importlib.util.spec_from_file_location("released_rows", pathlib.Path(__file__).with_name("released_rows.py"))
made = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(made)

ROWS = [made.sft_row(number) for number in range(600)]
PAIR = made.pair_row(0)


def write(path: pathlib.Path, rows: list) -> pathlib.Path:
    """As the kind of file that the name says; "lines" are JSON lines whatever they end in."""
    if path.suffix == ".parquet":
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    elif "lines" in path.name:
        path.write_text("\n".join(json.dumps(row) for row in rows) + "\n")
    else:
        path.write_text(json.dumps(rows, indent=4))
    return path


@pytest.mark.parametrize("name", ["rows.json", "lines.json", "lines.jsonl", "rows.parquet"])
def test_every_kind_of_file_gives_the_rows(tmp_path, name: str) -> None:
    write(tmp_path / name, ROWS)
    assert list(sft_rows(find_files(str(tmp_path / name)))) == ROWS
    assert list(sft_rows(find_files(str(tmp_path)))) == ROWS


def test_files_of_a_folder_are_read_by_name(tmp_path) -> None:
    write(tmp_path / "b.json", ROWS[2:4])
    write(tmp_path / "a.parquet", ROWS[:2])
    (tmp_path / "README.md").write_text("about")
    assert list(sft_rows(find_files(str(tmp_path)))) == ROWS[:4]




def test_pairs_keep_their_problem(tmp_path) -> None:
    file = write(tmp_path / "pairs.json", [PAIR, PAIR | {"problem": "p", "kind": "step"}])
    assert list(pair_rows([file])) == [PAIR, PAIR | {"problem": "p"}]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"neg": None}, 'no "neg"'),
        ({"pos": 3}, '"pos" is not text'),
        ({"prompt": ""}, '"prompt" is empty'),
        ({"pos_count": "2"}, '"pos_count" is not a number of 1 or more'),
        ({"neg_count": 0}, '"neg_count" is not a number of 1 or more'),
        ({"pos_count": True}, '"pos_count" is not a number of 1 or more'),
    ],
)
@pytest.mark.parametrize("name", ["rows.json", "lines.jsonl"])
def test_a_bad_row_is_named(tmp_path, name: str, change: dict, message: str) -> None:
    file = write(tmp_path / name, [PAIR, PAIR, PAIR | change])
    with pytest.raises(InputError) as found:
        list(pair_rows([file]))
    place = "line" if "lines" in name else "row"
    assert str(found.value).startswith(f"{file}, {place} 3: ")
    assert message in str(found.value)


def test_half_a_surrogate_pair_is_no_text(tmp_path) -> None:
    file = write(tmp_path / "lines.jsonl", [PAIR | {"neg": "\ud83d"}])
    with pytest.raises(InputError, match='line 1: "neg" holds half of a surrogate pair'):
        list(pair_rows([file]))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[{"query": "q", "response": "r"}, {"query": "q"', "row 2: not valid JSON"),
        ('[{"query": "q", "response": "r"}, 7]', "row 2: not an object with query, response"),
        ('{"query": "q", "response": "r"}\n{"query":', "line 2: not valid JSON"),
        ('"rows"', "line 1: not an object"),
    ],
)
def test_a_broken_file_is_named(tmp_path, text: str, message: str) -> None:
    file = tmp_path / "rows.json"
    file.write_text(text)
    with pytest.raises(InputError, match=message):
        list(sft_rows([file]))


def test_a_broken_parquet_file_is_named(tmp_path) -> None:
    file = tmp_path / "rows.parquet"
    file.write_bytes(b"PAR1 and nothing more")
    with pytest.raises(InputError, match=r"rows.parquet, row 1: not readable as Parquet"):
        list(sft_rows([file]))


def test_what_is_no_source_says_so(tmp_path, monkeypatch) -> None:
    with pytest.raises(InputError, match="no such file or folder"):
        find_files(str(tmp_path / "rows.json"))
    (tmp_path / "rows.txt").write_text("")
    with pytest.raises(InputError, match=r"end in \.json"):
        find_files(str(tmp_path / "rows.txt"))
    with pytest.raises(InputError, match="no data files"):
        find_files(str(tmp_path))


def test_a_hub_data_set_is_downloaded_and_read_from_its_files(tmp_path, monkeypatch) -> None:
    asked = []

    def download(name: str, **options) -> str:
        asked.append((name, options["repo_type"], options["allow_patterns"]))
        return str(tmp_path)

    write(tmp_path / "rows.json", ROWS[:3])
    monkeypatch.setattr("huggingface_hub.snapshot_download", download)
    assert list(sft_rows(find_files("somebody/rows"))) == ROWS[:3]
    assert asked == [("somebody/rows", "dataset", ["*.json", "*.jsonl", "*.parquet"])]


def test_a_hub_that_cannot_be_reached_is_one_sentence(monkeypatch) -> None:
    def download(name: str, **options) -> str:
        raise LocalEntryNotFoundError("Got: ConnectError: no route\nAn error happened while trying …")

    monkeypatch.setattr("huggingface_hub.snapshot_download", download)
    with pytest.raises(InputError, match="somebody/rows: no such file or folder, the Hub cannot be reached"):
        find_files("somebody/rows")


def test_an_array_is_read_in_constant_memory(tmp_path) -> None:
    file = write(tmp_path / "rows.json", ROWS * 20)
    size = file.stat().st_size
    tracemalloc.start()
    assert sum(1 for _ in sft_rows([file])) == len(ROWS) * 20
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < size / 10


@needs_samples
def test_the_authors_samples() -> None:
    assert len(list(sft_rows([SAMPLES / "sft_data_examples.json"]))) == 8
    pairs = list(pair_rows([SAMPLES / "rm_data_examples.json"]))
    assert [(row["pos_count"], row["neg_count"]) for row in pairs] == [(2, 2)] * 3 + [(1, 4)] * 2
    questions = [question_of(row["prompt"]) for row in pairs]
    assert questions[0].endswith("What is the length of the median $XM$?")
    assert questions[3].endswith("possible two-digit values of $d$.")
    assert all("<" not in question.replace("\\", "") for question in questions[:2])


def test_a_question_is_held_out_whatever_stands_around_it() -> None:
    questions = [f"What is {number}?" for number in range(2000)]
    chosen = {question for question in questions if is_held_out(question, 0.1)}
    assert 150 < len(chosen) < 250
    for question in questions[:50]:
        for rest in ("\n Let's write a program.", f"{made.LEAD_IN}<code>\n1"):
            assert question_of(f"<|user|>:\n{question}{rest}") == question
    assert not any(is_held_out(question, 0.0) for question in questions)
    assert chosen != {question for question in questions if is_held_out(question, 0.1, seed=1)}
