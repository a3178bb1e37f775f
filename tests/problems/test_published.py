"""Rows of published data sets as candidates."""

from __future__ import annotations

import json
import pathlib

import pytest

from rstar_jax.errors import InputError
from rstar_jax.problems.published import PUBLISHED, candidates

NUMINA = [
    {"source": "olympiads", "problem": "Find $x$.", "solution": r"We get $\boxed{3}$, then $\boxed{\frac{1}{2}}$."},
    {"source": "cn_k12", "problem": "Find $y$.", "solution": r"$\boxed{4}$"},
    {"source": "amc_aime", "problem": "Find $z$.", "solution": "It is five."},
]
METAMATH = [
    {"type": "GSM_SV", "query": "How many?", "response": "2 and 2.\n#### 4\nThe answer is: 4"},
    {
        "type": "MATH_AnsAug",
        "query": "Solve.",
        "response": "The answer is: 7\nNo: $x = 3$. The answer is: $\\frac{3}{4}$",
    },
    {"type": "MATH_FOBAR", "query": "Why?", "response": "Nobody knows."},
]


def rows_of(name: str, rows: list[dict], folder: pathlib.Path, **options) -> list[tuple]:
    file = folder / "rows.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return [(row.question, row.answer, row.level, row.source) for row in candidates(name, str(file), **options)]


def test_numina_is_its_competition_part(tmp_path) -> None:
    assert rows_of("numina", NUMINA, tmp_path) == [
        ("Find $x$.", r"\frac{1}{2}", "Olympiad-level", "numina/olympiads"),
        ("Find $z$.", None, "Olympiad-level", "numina/amc_aime"),
    ]
    assert [row[3] for row in rows_of("numina", NUMINA, tmp_path, parts=())] == [
        "numina/olympiads",
        "numina/cn_k12",
        "numina/amc_aime",
    ]


def test_metamath_says_its_answer_last(tmp_path) -> None:
    assert rows_of("metamath", METAMATH, tmp_path) == [
        ("How many?", "4", "GSM-level", "metamath/GSM_SV"),
        ("Solve.", r"$\frac{3}{4}$", "MATH-level", "metamath/MATH_AnsAug"),
        ("Why?", None, "MATH-level", "metamath/MATH_FOBAR"),
    ]


def test_gsm8k_with_and_without_its_solution(tmp_path) -> None:
    rows = [{"question": "How many?", "answer": "48/2=24\n#### 1,024"}, {"question": "How much?", "answer": 72}]
    assert [row[1] for row in rows_of("gsm8k", rows, tmp_path)] == [" 1,024", "72"]


def test_math_by_either_name_of_the_question(tmp_path) -> None:
    rows = [
        {"problem": "Solve.", "solution": r"So \boxed{(1,2)}.", "level": "Level 5"},
        {"question": "Solve it.", "answer": "9"},
    ]
    assert rows_of("math", rows, tmp_path) == [
        ("Solve.", "(1,2)", "MATH-level", "math"),
        ("Solve it.", "9", "MATH-level", "math"),
    ]


def test_a_row_without_a_question_is_named(tmp_path) -> None:
    with pytest.raises(InputError, match=r'rows.jsonl, line 2: no "problem"'):
        rows_of("numina", [NUMINA[0], {"source": "olympiads", "solution": "1"}], tmp_path)
    (tmp_path / "list.json").write_text("[1]")
    with pytest.raises(InputError, match="row 1: not an object"):
        list(candidates("numina", str(tmp_path / "list.json")))


def test_only_training_files_are_asked_of_the_hub(tmp_path, monkeypatch) -> None:
    """A snapshot's folder may hold other files from another time: they are not read either."""
    folder = tmp_path / "main"
    folder.mkdir()
    for name in ("train-0.parquet", "test-0.parquet"):
        import pyarrow as pa
        import pyarrow.parquet as pq

        pq.write_table(pa.table({"question": [name], "answer": ["#### 1"]}), folder / name)
    asked = []

    def download(name: str, **options) -> str:
        asked.append((name, options["allow_patterns"]))
        return str(tmp_path)

    monkeypatch.setattr("huggingface_hub.snapshot_download", download)
    assert [row.question for row in candidates("gsm8k")] == ["train-0.parquet"]
    assert asked == [("openai/gsm8k", ["main/train-*.parquet"])]
    assert all("test" not in pattern for one in PUBLISHED.values() for pattern in one.patterns)
