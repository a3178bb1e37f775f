"""The command line: figures on good input, one sentence on bad input."""

import json
import subprocess
import sys

from rstar_jax.grading.pairs import load

PAIRS = [
    {"gold": "1/2", "pred": "0.5", "match": True, "kind": "decimal"},
    {"gold": "5", "pred": "500", "match": False, "kind": "trap"},
    {"gold": "5", "pred": "6", "match": False, "kind": "trap"},
    {"gold": ["3", "-3"], "pred": "-3", "match": True, "kind": "alternatives"},
]


def command(*options):
    process = [sys.executable, "-m", "rstar_jax.grading", *map(str, options)]
    return subprocess.run(process, capture_output=True, text=True, timeout=120)


def write(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_figures_of_both_graders(tmp_path):
    pairs, out = write(tmp_path / "pairs.jsonl", PAIRS), tmp_path / "figures.json"
    done = command("--pairs", pairs, "--json", out)
    assert done.returncode == 0, done.stderr
    figures = json.loads(out.read_text())["pairs"]
    assert figures["strict"]["accuracy"] == 1.0
    assert figures["released"]["false_positives"] == 1
    assert figures["released"]["kinds"]["trap"]["accuracy"] == 0.5
    assert "false positives" in done.stdout


def test_bad_input_is_one_sentence_with_file_and_line(tmp_path):
    absent = command("--pairs", tmp_path / "absent.jsonl")
    assert absent.returncode == 2
    assert "absent.jsonl" in absent.stderr
    assert absent.stderr.count("\n") == 1
    broken = tmp_path / "broken.jsonl"
    broken.write_text(json.dumps(PAIRS[0]) + "\n{not json\n")
    done = command("--pairs", broken)
    assert done.returncode == 2
    assert f"{broken}, line 2" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_missing_label_is_told(tmp_path):
    unlabelled = write(tmp_path / "pairs.jsonl", [{"gold": "1", "pred": "1"}])
    assert load(unlabelled, labelled=False)[0].match is None
    done = command("--pairs", unlabelled)
    assert done.returncode == 2
    assert "`match`" in done.stderr
