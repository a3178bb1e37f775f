"""Problem files: what is read, and the sentence for each thing that is wrong with one."""

from __future__ import annotations

import json
import logging
import pathlib
from typing import Any

import pytest

from rstar_jax.errors import InputError
from rstar_jax.problems.files import content_id, read_problems, read_questions, write_problems
from rstar_jax.problems.problem import Problem

ROW = {"question": "What is 1 + 1?", "answer": "2"}


def jsonl(tmp_path: pathlib.Path, *rows: Any) -> pathlib.Path:
    path = tmp_path / "problems.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.mark.parametrize("name", ["a.json", "a.jsonl"])
def test_round_trip(tmp_path: pathlib.Path, name: str) -> None:
    problems = [
        Problem("a", "√2 · √2 =\n?", "2", "GSM-level", "by hand"),
        Problem("b", "$x$", "\\frac{1}{2}", "Olympiad-level"),
    ]
    write_problems(tmp_path / name, problems)
    assert read_problems(tmp_path / name) == problems


@pytest.mark.parametrize("layout", [[ROW], {"example": [ROW]}])
def test_benchmark_layouts(tmp_path: pathlib.Path, layout: Any) -> None:
    (tmp_path / "a.json").write_text(json.dumps(layout))
    [problem] = read_problems(tmp_path / "a.json", level="GSM-level", source="tiny")
    assert (problem.question, problem.answer) == ("What is 1 + 1?", "2")
    assert (problem.level, problem.source) == ("GSM-level", "tiny")


def test_other_names_numbers_and_unknown_fields(tmp_path: pathlib.Path) -> None:
    path = jsonl(tmp_path, {"problem": "Q", "answer": 5, "index": 3, "level": "Level 4"}, {"id": 7, **ROW})
    first, second = read_problems(path)
    assert (first.question, first.answer, first.level) == ("Q", "5", "MATH-level")
    assert second.id == "7"


def test_ids_depend_on_content_only(tmp_path: pathlib.Path) -> None:
    other = {"question": "What is 1 + 2?", "answer": "3"}
    ids = [problem.id for problem in read_problems(jsonl(tmp_path, ROW, other, ROW))]
    assert ids == [content_id(Problem("", **ROW)), content_id(Problem("", **other)), f"{ids[0]}-2"]
    assert ids[0] == "a5e30b739ef812d0"  # the same in every version: files on disk refer to it
    assert [problem.id for problem in read_problems(jsonl(tmp_path, other))] == [ids[1]]


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ([ROW, {"answer": "2"}], 'line 2: no "question"'),
        ([{"question": " ", "answer": "2"}], "line 1: the question is empty"),
        ([{"question": 5, "answer": "2"}], 'line 1: "question" is not text'),
        ([{"question": "Q"}], 'line 1: no "answer"'),
        ([{"question": "Q", "answer": None}], 'line 1: no "answer"'),
        ([{"question": "Q", "answer": " \n"}], 'line 1: "answer" is empty'),
        ([{"question": "Q", "answer": ["1", "2"]}], 'line 1: "answer" is neither text nor a number'),
        ([{"question": "Q", "answer": True}], 'line 1: "answer" is neither text nor a number'),
        ([{"question": "Q", "answer": float("inf")}], 'line 1: "answer" is not a finite number'),
        ([{**ROW, "level": "hard"}], r'line 1: unknown level "hard" \(known are GSM-level, MATH-level, Oly'),
        ([{**ROW, "id": "a"}, ROW, {**ROW, "id": "a"}], r'line 3: id "a" occurs twice, first in \S+, line 1'),
        ([{**ROW, "id": True}], 'line 1: "id" is not text'),
        (["text"], "line 1: not an object with question and answer"),
    ],
)
def test_errors_name_file_line_and_reason(tmp_path: pathlib.Path, rows: list[Any], reason: str) -> None:
    path = jsonl(tmp_path, *rows)
    with pytest.raises(InputError, match=rf"^{path}, {reason}") as caught:
        read_problems(path)
    assert "\n" not in str(caught.value)


def test_errors_in_lists_name_the_item(tmp_path: pathlib.Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps([ROW, {"question": "Q"}]))
    with pytest.raises(InputError, match=r'a\.json, item 2: no "answer"'):
        read_problems(tmp_path / "a.json")


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.csv", "", r"problem files end in \.json or \.jsonl"),
        ("a.jsonl", "\n\n", "no problems in it"),
        ("a.json", "[]", "no problems in it"),
        ("a.json", '{"rows": []}', "neither a list of problems nor"),
        ("a.json", "[\n{]", "line 2: not valid JSON"),
        ("a.jsonl", '{"question": "Q", "answer": "1"}\n{"question"', "line 2: not valid JSON"),
    ],
)
def test_errors_of_whole_files(tmp_path: pathlib.Path, name: str, content: str, reason: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(InputError, match=reason):
        read_problems(tmp_path / name)


def test_missing_file(tmp_path: pathlib.Path) -> None:
    with pytest.raises(InputError, match=r"absent\.jsonl: no such file"):
        read_problems(tmp_path / "absent.jsonl")


def test_unusable_rows_are_skipped_only_on_request(
    tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = jsonl(tmp_path, ROW, {"question": "Q", "answer": ""}, {"question": "R", "answer": ["1"]})
    with caplog.at_level(logging.WARNING):
        assert len(read_problems(path, skip_unusable=True)) == 1
    assert "problems.jsonl: 2 rows left out, the first one: " in caplog.text
    assert 'line 2: "answer" is empty' in caplog.text


def test_writing_another_kind_of_file_is_refused(tmp_path: pathlib.Path) -> None:
    with pytest.raises(InputError, match=r"end in \.json or \.jsonl"):
        write_problems(tmp_path / "a.parquet", [Problem("a", "Q", "1")])
    assert list(tmp_path.iterdir()) == []


def test_questions_need_no_answers(tmp_path: pathlib.Path) -> None:
    assert read_questions(jsonl(tmp_path, ROW, {"problem": "p"}, {"question": "q", "answer": None})) == [
        "What is 1 + 1?",
        "p",
        "q",
    ]
    (tmp_path / "questions.txt").write_text("What is 1?\n\n  What is 2?  \n")
    assert read_questions(tmp_path / "questions.txt") == ["What is 1?", "What is 2?"]


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.jsonl", '{"question": "q"}\n{"answer": "2"}\n', 'a.jsonl, line 2: no "question"'),
        ("a.jsonl", '{"question": " "}\n', "line 1: the question is empty"),
        ("a.txt", "\n \n", "no questions in it"),
        ("a.json", "[]", "no questions in it"),
        ("a.csv", "q\n", "problem files end in"),
    ],
)
def test_errors_in_questions(tmp_path: pathlib.Path, name: str, content: str, reason: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(InputError, match=reason):
        read_questions(tmp_path / name)
