"""Scripts of tables and figures as real processes, from a run in miniature; one of them is killed."""

from __future__ import annotations

import csv
import pathlib
import signal
import subprocess
import sys
import time

import pytest

from rstar_jax.evaluation.results import read_rows

ROOT = pathlib.Path(__file__).parents[2]
EXPERIMENTS = ROOT / "experiments"
CONFIG = """
import dataclasses, runpy
from rstar_jax.reproduction import plans
from rstar_jax.reproduction.plan import HELD_OUT, Column, StudyPlan

def config(seed=0):
    whole = runpy.run_path({tiny!r})["config"](seed)
    return dataclasses.replace(whole, rounds=whole.rounds[:2])

def study():
    search = config().evaluation.search
    return StudyPlan(
        columns=(Column("GSM-level", HELD_OUT, "GSM-level", paper="GSM8K"), Column("All", HELD_OUT)),
        search=search, variants=plans.variants(search, c=(1.0,)),
        trajectories=2, most=3, counts=(1, 2), samples=3, most_samples=4, is_analogue=True,
    )
"""


def start(script: str, config: pathlib.Path, run: pathlib.Path, *more: str) -> subprocess.Popen[str]:
    command = [sys.executable, str(EXPERIMENTS / script), "--config", str(config), "--run-dir", str(run), *more]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_without_a_run_there_is_one_sentence(tmp_path) -> None:
    process = start("tables/table3.py", pathlib.Path("cpu"), tmp_path / "none")
    _, err = process.communicate(timeout=120)
    assert process.returncode == 2, err
    assert "this run is not finished; evolve.py --config cpu goes on with it" in err
    assert len(err.strip().splitlines()) == 1
    process = start("tables/table3.py", pathlib.Path("phi3_mini"), tmp_path / "none")
    assert "has no tables of its own" in process.communicate(timeout=120)[1]


@pytest.mark.slow
def test_a_killed_table_goes_on_and_ends_as_it_would_have(tmp_path) -> None:
    config, run = tmp_path / "small.py", tmp_path / "run"
    config.write_text(CONFIG.format(tiny=str(ROOT / "tests" / "evolution" / "tiny_config.py")))
    evolve = [sys.executable, str(EXPERIMENTS / "evolve.py"), "--config", str(config), "--run-dir", str(run)]
    subprocess.run(evolve, check=True, capture_output=True, timeout=900)

    process = start("tables/table8.py", config, run)
    parts = run / "reproduction" / "held-out"
    deadline = time.monotonic() + 600
    while not any(parts.glob("*search*/parts/*.parquet")):
        assert process.poll() is None, process.communicate()[1][-3000:]
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    kept = {file: file.stat().st_mtime_ns for file in parts.glob("*/parts/*.parquet")}
    again = start("tables/table8.py", config, run)
    out, err = again.communicate(timeout=900)
    assert again.returncode == 0, err[-3000:]
    assert "Table 8: reward models" in out
    assert kept == {file: file.stat().st_mtime_ns for file in kept}

    with open(run / "reproduction" / "report" / "table_8.csv", newline="") as file:
        lines = list(csv.DictReader(file))
    measured = {line["row"] for line in lines if line["status"] == "measured" and line["block"] == "Accuracy"}
    assert {"ORM | Best-of-N | measured, strict", "PQM | MCTS | measured, released"} <= measured
    assert not [line for line in lines if line["status"] == "not run"]
    names = ("SLM-r2.samples.many", "SLM-r2+ORM-r2.scored.many")
    samples, scored = (read_rows(parts / name / "trajectories.parquet") for name in names)
    assert [row.text for row in samples] == [row.text for row in scored]
    searched = read_rows(parts / "SLM-r2+PPM-r2.search.many" / "trajectories.parquet")
    assert {row.tree for row in searched} == {0, 1, 2}

    figure = start("figures/figure3.py", config, run, "--report")
    assert figure.wait(timeout=120) == 0
    assert (run / "reproduction" / "report" / "figure_3.svg").exists()
    other = config.with_name("other.py")
    other.write_text(config.read_text().replace("trajectories=2", "trajectories=4"))
    refused = start("tables/table8.py", other, run, "--report")
    assert refused.wait(timeout=120) == 2
    assert "an evaluation with other settings (n_trees) is there already" in refused.communicate()[1]
