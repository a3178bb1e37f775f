"""The evaluation benchmarks: what is read of files and of the Hub, what is refused, and the released files."""

from __future__ import annotations

import collections
import dataclasses
import json
import logging
import pathlib
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from rstar_jax.errors import InputError, Unavailable
from rstar_jax.files import read_json, sha256_of
from rstar_jax.grading import verdict
from rstar_jax.problems.benchmarks import BENCHMARKS, load_benchmark, read_benchmark, survey, table
from rstar_jax.problems.problem import Problem

ROOT = pathlib.Path(__file__).parents[2]
RELEASED = ROOT.parent / "shared" / "data" / "eval"
COMPETITIONS = ("aime2024", "aime2025", "amc2023")
NAMES = ["gsm8k", "math", "math500", *COMPETITIONS, "olympiadbench", "collegemath", "gaokao2023en", "omnimath"]
needs_files = pytest.mark.skipif(not RELEASED.exists(), reason="needs the released files")


def made_up(count: int) -> list[dict[str, Any]]:
    return [{"index": n, "question": f"What is {n} + 1?", "answer": str(n + 1)} for n in range(count)]


def write(folder: pathlib.Path, name: str, content: Any) -> pathlib.Path:
    path = folder / BENCHMARKS[name].file
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def run(*options: str | pathlib.Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "rstar_jax.problems.benchmarks", *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=ROOT)


# --- The table ----------------------------------------------------------------------------------------


def test_all_ten_are_there_each_under_its_own_name() -> None:
    assert list(BENCHMARKS) == NAMES
    assert all(name == benchmark.name for name, benchmark in BENCHMARKS.items())
    for field in ("title", "file", "hub"):
        assert len({getattr(benchmark, field) for benchmark in BENCHMARKS.values()}) == len(NAMES)
    assert [name for name in NAMES if BENCHMARKS[name].sha256 is None] == ["aime2025"]


def test_trajectories_are_those_of_the_paper() -> None:
    sixteen = {name for name in NAMES if BENCHMARKS[name].trajectories == 16}
    assert sixteen == set(COMPETITIONS)
    assert {BENCHMARKS[name].trajectories for name in NAMES} == {8, 16}


def test_an_unknown_name_is_answered_with_the_known_ones(tmp_path: pathlib.Path) -> None:
    with pytest.raises(InputError, match='no benchmark "math5000"; known are gsm8k, math, math500'):
        load_benchmark("math5000", tmp_path)


# --- Files --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("layout", [lambda rows: rows, lambda rows: {"example": rows}])
def test_both_layouts(tmp_path: pathlib.Path, layout: Callable[[list], Any]) -> None:
    write(tmp_path, "aime2025", layout(made_up(30)))
    problems = load_benchmark("aime2025", tmp_path)
    assert problems[4] == Problem("aime2025/4", "What is 4 + 1?", "5", "Olympiad-level", "aime2025")
    assert [problem.id for problem in problems] == [f"aime2025/{n}" for n in range(30)]


def test_ids_are_the_rows_own_index_or_their_place(tmp_path: pathlib.Path) -> None:
    rows = made_up(30)
    for row in rows:
        row["index"] += 1
    write(tmp_path, "aime2025", rows)
    assert [problem.id for problem in load_benchmark("aime2025", tmp_path)][:2] == ["aime2025/1", "aime2025/2"]
    write(tmp_path, "aime2025", [{"question": row["question"], "answer": 3} for row in rows])
    problems = load_benchmark("aime2025", str(tmp_path))
    assert [(problem.id, problem.answer) for problem in problems][:2] == [("aime2025/0", "3"), ("aime2025/1", "3")]


def test_one_question_with_two_answers_is_two_problems(tmp_path: pathlib.Path) -> None:
    rows = made_up(30)
    rows[1]["question"] = rows[3]["question"] = rows[4]["question"] = rows[0]["question"]
    rows[4]["answer"] = rows[3]["answer"]
    rows[7]["question"] = rows[6]["question"]
    rows[7]["answer"] = rows[6]["answer"]
    write(tmp_path, "aime2025", rows)
    assert len({problem.id for problem in load_benchmark("aime2025", tmp_path)}) == 30
    found = survey("aime2025", tmp_path)
    assert (found.rows, found.usable, found.distinct, found.repeated, found.contradicting) == (30, 30, 26, 2, 1)


def test_of_a_list_of_answers_any_counts(tmp_path: pathlib.Path) -> None:
    rows = made_up(30)
    rows[0]["answer"], rows[1]["answer"] = ["3", "-3"], ["", "\\left(\tfrac32, 1\\right)", None]
    write(tmp_path, "aime2025", rows)
    two, one = load_benchmark("aime2025", tmp_path)[:2]
    assert [verdict(answer, two.answer) for answer in ("-3", "3", "0")] == ["equal", "equal", "different"]
    assert one.answer == "\\left(\tfrac32, 1\\right)"  # the TAB is the file's
    assert verdict("(3/2, 1)", one.answer) == "equal"


def test_empty_answers_are_left_out_and_counted(tmp_path: pathlib.Path) -> None:
    rows = made_up(385)
    rows[167]["answer"], rows[192]["answer"] = "", " \n"
    write(tmp_path, "gaokao2023en", rows)
    loaded = read_benchmark("gaokao2023en", tmp_path)
    ids = [problem.id for problem in loaded.problems]
    assert (loaded.rows, len(ids)) == (385, 383)
    assert "gaokao2023en/167" not in ids
    assert ids[167] == "gaokao2023en/168"  # the others keep their names


@pytest.mark.parametrize("empty", [None, [], ["", None]])
def test_other_ways_to_be_empty(tmp_path: pathlib.Path, empty: Any) -> None:
    path = write(tmp_path, "aime2025", [*made_up(29), {"question": "Q", "answer": empty}])
    with pytest.raises(InputError, match=f"^{path}: AIME 2025 has 30 rows with an answer, found 29$"):
        load_benchmark("aime2025", tmp_path)


@pytest.mark.parametrize("count", [0, 29, 31])
def test_another_number_of_rows_is_refused(tmp_path: pathlib.Path, count: int) -> None:
    path = write(tmp_path, "aime2024", made_up(count))
    with pytest.raises(InputError, match=f"^{path}: AIME 2024 has 30 rows, found {count}$"):
        load_benchmark("aime2024", tmp_path)


def test_more_answers_than_were_released_are_refused_in_a_file(tmp_path: pathlib.Path) -> None:
    write(tmp_path, "gaokao2023en", made_up(385))
    with pytest.raises(InputError, match="Gaokao En 2023 has 383 rows with an answer, found 385"):
        load_benchmark("gaokao2023en", tmp_path)


def test_another_checksum_is_a_warning(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    path = write(tmp_path, "aime2024", made_up(30))
    assert read_benchmark("aime2024", tmp_path).checksum == "other"
    assert f"{path}: AIME 2024 is not the released file; numbers may differ" in caplog.text
    assert caplog.records[0].levelno == logging.WARNING
    caplog.clear()
    mine = dataclasses.replace(BENCHMARKS["aime2024"], sha256=sha256_of(path))
    monkeypatch.setitem(BENCHMARKS, "aime2024", mine)
    assert read_benchmark("aime2024", tmp_path).checksum == "ok"
    write(tmp_path, "aime2025", made_up(30))
    assert read_benchmark("aime2025", tmp_path).checksum == "unknown"
    assert not caplog.records


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"index": 0}, r"item 3: index 0 occurs twice, first in \S+, item 1"),
        ({"index": "1"}, r"item 3: index 1 occurs twice, first in \S+, item 2"),
        ({"index": None}, 'item 3: "index" is neither a whole number nor text'),
        ({"index": True}, 'item 3: "index" is neither a whole number nor text'),
        ({"question": " "}, "item 3: no question, or not as text"),
        ({"question": 5}, "item 3: no question, or not as text"),
        ({"answer": {"x": 1}}, 'item 3: "answer" is neither text nor a number, nor a list of those'),
        ({"answer": ["1", True]}, 'item 3: "answer" is neither text nor a number, nor a list of those'),
        ({"answer": float("nan")}, 'item 3: "answer" is neither text nor a number, nor a list of those'),
    ],
)
def test_errors_name_file_row_and_reason(tmp_path: pathlib.Path, change: dict[str, Any], reason: str) -> None:
    rows = made_up(30)
    rows[2] |= change
    path = write(tmp_path, "aime2025", rows)
    with pytest.raises(InputError, match=f"^{path}, {reason}$"):
        load_benchmark("aime2025", tmp_path)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("[\n{]", "line 2: not valid JSON"),
        ('{"rows": []}', "neither a list of problems nor"),
        ("[1]", "item 1: not an object with question and answer"),
        ('[{"question": "Q"}]', 'item 1: no "answer"'),
    ],
)
def test_errors_of_files_in_another_form(tmp_path: pathlib.Path, content: str, reason: str) -> None:
    write(tmp_path, "math500", content)
    with pytest.raises(InputError, match=f"math500_test.json.*{reason}"):
        load_benchmark("math500", tmp_path)


def test_missing_files(tmp_path: pathlib.Path) -> None:
    with pytest.raises(InputError, match=r"GSM8K_test\.json: no such file$"):
        load_benchmark("gsm8k", tmp_path)
    with pytest.raises(InputError, match=r"aime2025_test.json: no such file, and none was released; .*math-ai/aime25"):
        load_benchmark("aime2025", tmp_path)


# --- The Hub ------------------------------------------------------------------------------------------

# A file that has to be read with its rows, one that must not be, and what comes out.
HUB: dict[str, tuple[dict[str, list[dict[str, Any]]], str, list[tuple[str, str]]]] = {
    "gsm8k": (
        {"main/test-00000-of-00001.parquet": [{"question": "How many?", "answer": "2+2=4\n#### 1,024"}]},
        "main/train-00000-of-00001.parquet",
        [("How many?", "1,024")],
    ),
    "math": (
        {
            "algebra/test-00000-of-00001.parquet": [{"problem": "Solve.", "solution": r"So \boxed{\frac{1}{2}}."}],
            "geometry/test-00000-of-00001.parquet": [{"problem": "Draw.", "solution": r"It is $\boxed 7$, of course."}],
        },
        "algebra/train-00000-of-00001.parquet",
        [("Solve.", r"\frac{1}{2}"), ("Draw.", "7")],
    ),
    "math500": (
        {"test.jsonl": [{"problem": "Find.", "solution": r"\boxed{1}", "answer": "(3, 4)", "unique_id": "a.json"}]},
        "train.jsonl",
        [("Find.", "(3, 4)")],
    ),
    "aime2024": (
        {"data/train-00000-of-00001.parquet": [{"id": 60, "problem": "Aya walks.", "answer": "204"}]},
        "default/train/0000.parquet",
        [("Aya walks.", "204")],
    ),
    "aime2025": (
        {"test.jsonl": [{"problem": "Bases.", "answer": "70", "id": "0"}]},
        "train.jsonl",
        [("Bases.", "70")],
    ),
    "amc2023": (
        {"test-00000-of-00001.parquet": [{"id": 0, "question": "Cities.", "answer": "27", "url": ""}]},
        "train-00000-of-00001.parquet",
        [("Cities.", "27")],
    ),
    "olympiadbench": (
        {"test.jsonl": [{"id": 1606, "question": "Xenia.", "final_answer": [r"$\frac{1}{2}$"], "solution": ["Long."]}]},
        "train.jsonl",
        [("Xenia.", r"\frac{1}{2}")],
    ),
    "collegemath": (
        {"college-math-test.jsonl": [{"question": "Simplify.", "answer": "$10-4 n$", "question_number": "a.b"}]},
        "college-math-train.jsonl",
        [("Simplify.", "$10-4 n$")],
    ),
    "gaokao2023en": (
        {"Gaokao2023-Math-En.jsonl": [{"question": "Vote.", "answer": r"$\frac{b}{435}$", "id": 3}]},
        "other.jsonl",
        [("Vote.", r"$\frac{b}{435}$")],
    ),
    "omnimath": (
        {"test.jsonl": [{"problem": "Good.", "answer": "10", "difficulty": 8.0, "domain": ["Algebra"]}]},
        "train.jsonl",
        [("Good.", "10")],
    ),
}


def write_rows(path: pathlib.Path, rows: list[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))


@pytest.fixture
def asked(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str, list[str]]]:
    """Puts a folder in the place of the Hub; what it was asked for."""
    calls: list[tuple[str, str, list[str]]] = []

    def download(name: str, *, repo_type: str, allow_patterns: list[str]) -> str:
        calls.append((name, repo_type, allow_patterns))
        return str(tmp_path)

    monkeypatch.setattr("huggingface_hub.snapshot_download", download)
    return calls


def shrink(monkeypatch: pytest.MonkeyPatch, name: str, count: int) -> None:
    monkeypatch.setitem(BENCHMARKS, name, dataclasses.replace(BENCHMARKS[name], count=count, usable=count))


@pytest.mark.parametrize("name", NAMES)
def test_rows_of_the_hub(name: str, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, asked: list) -> None:
    files, other, expected = HUB[name]
    for path, rows in files.items():
        write_rows(tmp_path / path, rows)
    write_rows(tmp_path / other, [{"question": "no", "problem": "no", "answer": "no"}])
    shrink(monkeypatch, name, len(expected))
    loaded = read_benchmark(name)
    assert [(problem.question, problem.answer) for problem in loaded.problems] == expected
    assert [problem.id for problem in loaded.problems] == [f"{name}/hub/{n}" for n in range(len(expected))]
    assert {(problem.level, problem.source) for problem in loaded.problems} == {(BENCHMARKS[name].level, name)}
    assert (loaded.place, loaded.checksum) == (BENCHMARKS[name].hub.id, "unknown")
    assert asked == [(BENCHMARKS[name].hub.id, "dataset", list(BENCHMARKS[name].hub.patterns))]


def test_olympiad_bench_as_parquet(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, asked: list) -> None:
    rows = [{"question": "Q", "final_answer": ["$1,2$"]}, {"question": "R", "final_answer": ["3"]}]
    write_rows(tmp_path / "test-00000-of-00001.parquet", rows)
    shrink(monkeypatch, "olympiadbench", 2)
    assert [problem.answer for problem in load_benchmark("olympiadbench")] == ["1,2", "3"]
    write_rows(tmp_path / "test.jsonl", rows)  # the same rows again
    with pytest.raises(InputError, match="math-ai/olympiadbench: Olympiad Bench has 2 rows, found 4"):
        load_benchmark("olympiadbench")


def test_a_hub_set_that_has_changed_is_refused(tmp_path: pathlib.Path, asked: list) -> None:
    rows = [{"problem": f"What is {n}?", "answer": str(n), "id": str(n)} for n in range(30)]
    write_rows(tmp_path / "test.jsonl", rows)
    assert len(load_benchmark("aime2025")) == 30
    write_rows(tmp_path / "test.jsonl", rows[:-1])
    with pytest.raises(InputError, match=r"^math-ai/aime25: AIME 2025 has 30 rows, found 29$"):
        load_benchmark("aime2025")
    write_rows(tmp_path / "test.jsonl", [{"problem": row["problem"], "solution": row["answer"]} for row in rows])
    with pytest.raises(InputError, match=r"^math-ai/aime25: AIME 2025 has 30 rows with an answer, found 0$"):
        load_benchmark("aime2025")
    write_rows(tmp_path / "test.jsonl", [{"text": row["problem"], "answer": row["answer"]} for row in rows])
    with pytest.raises(InputError, match=r"test\.jsonl, line 1: no question, or not as text"):
        load_benchmark("aime2025")
    (tmp_path / "test.jsonl").write_text('{"problem": "Q", "answer": "1"}\n{"problem"\n')
    with pytest.raises(InputError, match=r"test\.jsonl, line 2: not valid JSON"):
        load_benchmark("aime2025")


def test_the_hub_may_have_answers_that_the_released_file_lacks(
    tmp_path: pathlib.Path, asked: list, caplog: pytest.LogCaptureFixture
) -> None:
    write_rows(tmp_path / "Gaokao2023-Math-En.jsonl", made_up(385))
    assert len(load_benchmark("gaokao2023en")) == 385
    assert "Gaokao En 2023 has 383 rows with an answer, found 385" in caplog.text
    assert "Gaokao En 2023 is not compared with the released file; numbers may differ" in caplog.text


def test_a_hub_out_of_reach(monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub.errors import LocalEntryNotFoundError

    def download(name: str, **options: Any) -> str:
        raise LocalEntryNotFoundError(name)

    monkeypatch.setattr("huggingface_hub.snapshot_download", download)
    with pytest.raises(Unavailable, match="math-ai/aime25"):
        load_benchmark("aime2025")
    assert "the Hub cannot be reached" in survey("aime2025").error


# --- The command --------------------------------------------------------------------------------------


def test_the_command_prints_what_it_found(tmp_path: pathlib.Path) -> None:
    write(tmp_path, "aime2024", made_up(30))
    write(tmp_path, "aime2025", made_up(30))
    done = run("--folder", tmp_path, "--names", "aime2024", "aime2025", "--json", tmp_path / "found.json")
    assert done.returncode == 0, done.stderr
    first, second = (line.split() for line in done.stdout.splitlines()[1:])
    assert first == ["aime2024", "aime2024_test.json", "30", "30", "30", "0", "0", "other"]
    assert second == ["aime2025", "aime2025_test.json", "30", "30", "30", "0", "0", "unknown"]
    assert done.stderr.count("is not the released file") == 1
    assert [row["checksum"] for row in read_json(tmp_path / "found.json")] == ["other", "unknown"]


def test_the_command_fails_if_one_is_missing_or_wrong(tmp_path: pathlib.Path) -> None:
    write(tmp_path, "aime2024", made_up(29))
    write(tmp_path, "aime2025", made_up(30))
    done = run("--folder", tmp_path, "--json", tmp_path / "found.json")
    assert done.returncode == 2
    assert "aime2024_test.json: AIME 2024 has 30 rows, found 29" in done.stdout
    assert "GSM8K_test.json: no such file" in done.stdout
    found = {row["name"]: row for row in read_json(tmp_path / "found.json")}
    assert [name for name in NAMES if not found[name]["error"]] == ["aime2025"]


def test_the_command_knows_what_it_is_asked_for(tmp_path: pathlib.Path) -> None:
    done = run("--folder", tmp_path, "--names", "aime2023")
    assert done.returncode == 2
    assert done.stderr.startswith('Error: there is no benchmark "aime2023"')
    assert done.stderr.count("\n") == 1


def test_table_puts_errors_below(tmp_path: pathlib.Path) -> None:
    write(tmp_path, "aime2025", made_up(30))
    lines = table([survey("math500", tmp_path), survey("aime2025", tmp_path)]).splitlines()
    assert lines[1].endswith("error, see below")
    assert lines[2].split() == ["aime2025", "aime2025_test.json", "30", "30", "30", "0", "0", "unknown"]
    assert lines[3].startswith("math500: ")


# --- The released files -------------------------------------------------------------------------------


@needs_files
@pytest.mark.parametrize("name", [name for name in NAMES if name != "aime2025"])
def test_released_files(name: str, caplog: pytest.LogCaptureFixture) -> None:
    loaded = read_benchmark(name, RELEASED)
    assert loaded.checksum == "ok"
    assert not caplog.records
    assert len({problem.id for problem in loaded.problems}) == len(loaded.problems) == BENCHMARKS[name].usable
    own = [row["index"] for row in read_json(RELEASED / BENCHMARKS[name].file) if row["answer"] not in ("", [])]
    assert [problem.id for problem in loaded.problems] == [f"{name}/{index}" for index in own]


@needs_files
def test_eleven_released_answers_are_empty() -> None:
    loaded = {name: read_benchmark(name, RELEASED) for name in NAMES if name != "aime2025"}
    lost = {name: one.rows - len(one.problems) for name, one in loaded.items() if one.rows != len(one.problems)}
    assert lost == {"gaokao2023en": 2, "omnimath": 9}


@needs_files
def test_college_math_repeats_itself() -> None:
    found = survey("collegemath", RELEASED)
    assert (found.distinct, found.repeated, found.contradicting) == (2782, 34, 24)
    counts = collections.Counter(problem.question for problem in load_benchmark("collegemath", RELEASED))
    assert sum(counts.values()) - len(counts) == 36  # so many answers were lost if questions were keys


@needs_files
def test_any_of_the_released_alternatives_counts() -> None:
    rows = {f"math/{row['index']}": row["answer"] for row in read_json(RELEASED / "MATH_test.json")}
    lists = {id: answers for id, answers in rows.items() if isinstance(answers, list)}
    problems = {problem.id: problem for problem in load_benchmark("math", RELEASED)}
    assert len(lists) == 4
    for id, answers in lists.items():
        assert all(verdict(answer, problems[id].answer) == "equal" for answer in answers)
        assert verdict("(17, 17)", problems[id].answer) == "different"
