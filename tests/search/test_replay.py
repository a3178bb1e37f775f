"""Golden trees, node for node, with code really run."""

from __future__ import annotations

import json
import pathlib

import pytest

from rstar_jax.search import goldens
from rstar_jax.search.replay import main

HERE = pathlib.Path(__file__).parent
OURS = sorted((HERE / "data").glob("*.json"))
SHARED = sorted((HERE.parents[2] / "shared" / "golden_trees").glob("*.json"))


def test_our_golden_trees(capsys: pytest.CaptureFixture[str]):
    assert len(OURS) >= 3
    assert main([str(file) for file in OURS]) == 0
    assert capsys.readouterr().out.count("agrees") == len(OURS)


@pytest.mark.skipif(not SHARED, reason="the recorded trees lie outside the repository")
def test_recorded_golden_trees():
    assert main([str(file) for file in SHARED]) == 0


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda raw: raw["nodes"][0].update(visits=99), "node 0: visits is"),
        (lambda raw: raw["nodes"][3].update(q=raw["nodes"][3]["q"] + 1e-8), ": q is"),
        (lambda raw: raw["nodes"][1].update(terminal=not raw["nodes"][1]["terminal"]), "node 0.1: terminal is"),
        (lambda raw: raw["nodes"].pop(), "the first that is only replayed is"),
        (lambda raw: raw["expansions"].clear(), "expands a node that the recorded run did not: ''"),
        (lambda raw: raw["rollout_answers"].update(answers=[]), "rollout answers are"),
    ],
)
def test_first_difference(change, sentence: str, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]):
    raw = json.loads((HERE / "data" / "test_time_quirks.json").read_text())
    change(raw)
    file = tmp_path / "changed.json"
    file.write_text(json.dumps(raw))
    assert main([str(file)]) == 1
    out = capsys.readouterr().out
    assert str(file) in out
    assert sentence in out


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda raw: raw.pop("nodes"), "has no 'nodes'"),
        (lambda raw: raw["config"].update(iterations=0), "config is impossible"),
        (lambda raw: raw["config"].update(iterations=True), "'iterations' of config is not of type int"),
        (lambda raw: raw["expansions"].update({"": [["text"]]}), "not a pair of text and stop string"),
        (lambda raw: raw["values"].update(x="high"), "the value of 'x' is not a number"),
        (lambda raw: raw["nodes"].append(3), "is not an object"),
    ],
)
def test_a_bad_file_is_one_sentence(change, reason: str, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]):
    raw = json.loads(OURS[0].read_text())
    change(raw)
    file = tmp_path / "bad.json"
    file.write_text(json.dumps(raw))
    assert main([str(file)]) == 2
    err = capsys.readouterr().err
    assert err.startswith(str(file))
    assert reason in err
    assert err.count("\n") == 1


def test_missing_and_binary_files(tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]):
    binary = tmp_path / "binary.json"
    binary.write_bytes(b"\xff\xfe\x00")
    assert main([str(tmp_path / "none.json"), str(binary), str(tmp_path)]) == 2
    assert capsys.readouterr().err.count("\n") == 3


def test_recorded_settings_become_ours():
    golden = goldens.parse((HERE / "data" / "unusual_flags.json").read_text())
    config = goldens.config_of(golden)
    assert config.rollouts == golden.config["iterations"]
    assert config.candidates == golden.config["n_generate_sample"]
    assert config.terminal == ("truth" if golden.config["is_sampling"] else "ppm")
