"""The benchmark of the graders on files that are small enough to count by hand."""

from __future__ import annotations

import importlib
import json
import pathlib
import sys
from typing import Any

import pytest

from rstar_jax.errors import InputError
from rstar_jax.grading import report
from rstar_jax.grading.pairs import Pair

BENCHMARKS = pathlib.Path(__file__).parents[2] / "experiments" / "benchmarks"
PAIRS = [
    {"gold": "1/2", "pred": "0.5", "match": True, "kind": "decimal"},
    {"gold": "5", "pred": "500", "match": False, "kind": "percent_trap"},
    {"gold": "5", "pred": "6", "match": False, "kind": "int"},
    {"gold": "7", "pred": "seven or so", "match": True, "kind": "int"},  # a label that strict does not share
]


@pytest.fixture(scope="module")
def grading() -> Any:
    sys.path.insert(0, str(BENCHMARKS))
    try:
        yield importlib.import_module("grading")
    finally:
        sys.path.remove(str(BENCHMARKS))


@pytest.fixture
def small(grading, monkeypatch) -> Any:
    """With two golds, no hand-made pairs and one hostile input."""
    monkeypatch.setattr(grading, "GOLDS", ("(2,5)", "42"))
    monkeypatch.setattr(grading, "hand_pairs", lambda path: [])
    monkeypatch.setattr(grading.grading_hostile, "inputs", lambda: [Pair("5", "1e999999999", False, "exponent")])
    return grading


def write(path: pathlib.Path, rows: Any) -> pathlib.Path:
    path.parent.mkdir(exist_ok=True)
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    path.write_text(lines if path.suffix == ".jsonl" else json.dumps(rows))
    return path


def test_figures_of_a_tiny_file(small, tmp_path, capsys) -> None:
    pairs, out = write(tmp_path / "pairs.jsonl", PAIRS), tmp_path / "figures.json"
    own = small.own_pairs()
    assert small.main(small.Options(pairs=pairs, json=out)) == 0
    figures = json.loads(out.read_text())
    assert all(isinstance(value, int | float) for value in figures.values())
    assert figures["pairs_strict_n"] == len(own) + len(PAIRS)
    assert (figures["pairs_strict_false_positives"], figures["pairs_strict_false_negatives"]) == (0, 1)
    assert figures["pairs_strict_accuracy"] == pytest.approx(1 - 1 / figures["pairs_strict_n"], abs=1e-6)
    assert figures["pairs_strict_accuracy_of_percent_trap"] == 1.0
    assert figures["pairs_released_accuracy_of_percent_trap"] < 1.0
    assert 0 < figures["pairs_strict_p50_ms"] <= figures["pairs_strict_p99_ms"] <= figures["pairs_strict_max_ms"]
    assert figures["adversarial_strict_over_limit"] == 0
    printed = capsys.readouterr().out
    assert "calls over their limit: none" in printed
    assert "strict is wrong (int): '7' = 'seven or so'" in printed


def test_golds_of_a_folder_against_themselves_and_their_rewritings(small, tmp_path) -> None:
    write(tmp_path / "sets" / "a.json", [{"question": "?", "answer": "42"}, {"question": "?", "answer": ""}])
    write(tmp_path / "sets" / "b.json", {"example": [{"answer": ["3", "-3"]}, {"answer": r"\frac{1}{3}"}]})
    sections = small.sections(small.Options(folder=tmp_path / "sets"))
    themselves = sections["themselves"]
    assert [(p.kind, p.match) for p in themselves] == [("a", True), ("a", False), ("b", True), ("b", True)]
    assert {p.gold for p in sections["golds"]} == {"42", "", r"\frac{1}{3}"}
    assert report.score(themselves, "strict")["accuracy"] == 1.0


def test_a_call_over_its_limit_is_an_error(small, monkeypatch, capsys) -> None:
    monkeypatch.setattr(small, "sections", lambda options: {"pairs": [Pair("1", "1", True, "int")]})
    judged = report.Judged([True], [3.5], report.GraderStats(calls=1), 3.0)
    monkeypatch.setattr(small.report, "judge", lambda *arguments: judged)
    assert small.main(small.Options()) == 1
    printed = capsys.readouterr().out
    assert "calls over their limit: 2" in printed
    assert "the longest took 116.7% of its limit" in printed


def test_bad_folders_are_told(small, tmp_path) -> None:
    with pytest.raises(InputError, match=r"holds no \.json file"):
        small.read_golds(tmp_path)
    write(tmp_path / "c.json", [{"question": "?"}])
    with pytest.raises(InputError, match=r"c\.json: a row has no answer"):
        small.read_golds(tmp_path)


def test_everything_of_its_own_has_a_label_and_a_kind(grading) -> None:
    pairs = grading.own_pairs()
    assert len(pairs) > 10_000
    assert all(pair.kind and pair.match is not None for pair in pairs)
    assert {pair.match for pair in grading.grading_hostile.inputs()} == {False}
    assert len({pair.kind for pair in grading.grading_hostile.inputs()}) > 80
