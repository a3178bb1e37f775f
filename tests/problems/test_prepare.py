"""From rows to the problems of a run: the whole way, and the script."""

from __future__ import annotations

import json
import pathlib
import subprocess
import sys

import pytest

from rstar_jax.files import read_json, read_jsonl
from rstar_jax.problems.files import read_problems

ROOT = pathlib.Path(__file__).parents[2]
SHARED = ROOT.parent / "shared" / "data"
TEST = {"question": "A farmer has 12 cows and buys 5 more cows at the market in the town. How many cows has he now?"}
GSM = [
    {"question": "Ann has 2 apples and finds 3. How many has she?", "answer": "2+3=5\n#### 5"},
    {"question": "Ann has 2 apples and finds 3.  How many has she?", "answer": "#### 5"},
    {"question": TEST["question"].lower(), "answer": "#### 17"},
    {"question": "Bob has 9 pens. How many has he?", "answer": "#### 9"},
    {"question": "Bob has 9 pens. How many has he?", "answer": "#### 8"},
    {"question": "Prove that there is a prime.", "answer": "#### 2"},
]


def write(path: pathlib.Path, rows: list[dict]) -> pathlib.Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def run(*options: str | pathlib.Path, code: int = 0) -> str:
    command = [sys.executable, ROOT / "experiments" / "prepare_problems.py", *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == code, done.stderr[-2000:]
    return done.stdout if code == 0 else done.stderr


def test_every_row_is_kept_or_counted(tmp_path) -> None:
    gsm, more = write(tmp_path / "gsm.jsonl", GSM), write(tmp_path / "more.jsonl", [{"question": "1+1?", "answer": 2}])
    test = write(tmp_path / "farm.jsonl", [TEST | {"answer": "17"}])
    out = tmp_path / "out"
    printed = run("--out", out, "--sets", f"gsm8k={gsm}", "--add", more, "--against", test)
    kept = read_problems(out / "problems.jsonl")
    assert [(one.question, one.answer, one.level, one.source) for one in kept] == [
        (GSM[0]["question"], "5", "GSM-level", "gsm8k"),
        ("1+1?", "2", "MATH-level", "more"),
    ]
    report = read_json(out / "report.json")
    dropped = {"contradicting answers": 2, "copy": 1, "in the evaluation": 1, "proof": 1}
    assert report["sources"]["gsm8k"] == {"rows": 6, "kept": 1, "dropped": dropped}
    assert report["overlaps"] == {"farm": 1}
    assert report["levels"] == {"GSM-level": 1, "MATH-level": 1, "Olympiad-level": 0}
    assert [row["benchmark"] for row in read_jsonl(out / "overlaps.jsonl")] == ["farm"]
    assert "1 of farm" in printed
    before = (out / "problems.jsonl").read_bytes()
    assert "holds a result" in run("--out", out, "--sets", f"gsm8k={gsm}", "--against", test, code=2)
    assert (out / "problems.jsonl").read_bytes() == before


def test_mistakes_are_one_sentence(tmp_path) -> None:
    assert "--against names" in run("--out", tmp_path / "out", code=2)
    assert "the sets are numina" in run("--out", tmp_path / "out", "--sets", "mine", "--nothing-to-compare", code=2)
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        write(tmp_path / folder / "same.jsonl", [TEST | {"answer": 17}])
    errors = run("--out", tmp_path / "out", "--against", tmp_path / "one", tmp_path / "two", code=2)
    assert errors.startswith("Error: --against names two files called same")
    assert errors.count("\n") == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.skipif(not SHARED.exists(), reason="needs the benchmarks")
def test_real_training_sets_against_real_benchmarks(tmp_path) -> None:
    sets = (f"gsm8k={SHARED / 'train' / 'gsm8k_train.json'}", f"math={SHARED / 'train' / 'math_train.json'}")
    run("--out", tmp_path / "out", "--sets", *sets, "--against", SHARED / "eval")
    report = read_json(tmp_path / "out" / "report.json")
    for name, counts in report["sources"].items():
        assert counts["rows"] == counts["kept"] + sum(counts["dropped"].values())
        assert counts["kept"] > 0.85 * counts["rows"], name
    assert report["overlaps"]["MATH_test"] > 100  # its training half is full of problems of the same form
