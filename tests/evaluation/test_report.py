"""Summaries, tables, figures and the report."""

from __future__ import annotations

import dataclasses
import io
import json
import subprocess
import sys

import pytest

from rstar_jax.evaluation import measure, render, tables
from rstar_jax.evaluation.intervals import Interval
from rstar_jax.evaluation.report import print_report, write_report
from rstar_jax.evaluation.summary import (
    Coverage,
    RoundSummary,
    RunSummary,
    ScalingCurve,
    Scores,
    merge,
    read_summary,
    write_summary,
)

LEVELS = ("GSM-level", "GSM-level", "MATH-level", "Olympiad-level")


def scores(strict, released=None, tokens=100, trajectories=1):
    n = len(strict)
    return Scores(
        tuple(map(float, strict)),
        tuple(map(float, released or strict)),
        (tokens,) * n,
        (tokens // 2,) * n,
        (trajectories,) * n,
        (trajectories,) * n,
        (0.5,) * n,
    )


def run(seed=0, first=(1, 0, 0, 0)):
    coverage = {
        "GSM-level": Coverage(8, 10),
        "MATH-level": Coverage(5, 10),
        "Olympiad-level": Coverage(1, 20),
    }
    curve = ScalingCurve("PPM-guided search", (1, 2), (scores(first), scores((1, 1, 0, 1))), (0, 0))
    rounds = (
        RoundSummary(
            1, "bootstrap", coverage, scores(first), scores((1, 1, 1, 0), tokens=400, trajectories=8)
        ),
        RoundSummary(2, "SLM-r1", None, scores((1, 1, 0, 0), (1, 1, 1, 0)), scaling=(curve,)),
    )
    return RunSummary("test", seed, "four problems", ("a", "b", "c", "d"), LEVELS, rounds)


def test_json_round_trip(tmp_path):
    write_summary(tmp_path / "summary.json", run())
    assert read_summary(tmp_path / "summary.json") == run()


def test_summary_refuses_vectors_of_other_lengths():
    with pytest.raises(ValueError, match="one value for each"):
        dataclasses.replace(run(), references={"base": scores((1, 0))})
    with pytest.raises(ValueError, match="distinct"):
        dataclasses.replace(run(), problem_ids=("a", "a", "b", "c"))


def test_merge_refuses_what_does_not_belong_together():
    with pytest.raises(ValueError, match="seeds repeat"):
        merge([run(0), run(0)])
    with pytest.raises(ValueError, match="differ in benchmark"):
        merge([run(0), dataclasses.replace(run(1), benchmark="others")])
    with pytest.raises(ValueError, match="nothing"):
        merge([])


def test_accuracy_of_one_run_is_wilson_by_level():
    found = measure.accuracy(merge([run()]), measure.of_round(1, "system2"), "strict", "GSM-level")
    assert (found.estimate, found.kind) == (1.0, "Wilson 95%")
    overall = measure.accuracy(merge([run()]), measure.of_round(1, "system2"), "strict")
    assert overall.estimate == 0.75


def test_accuracy_over_seeds_is_a_bootstrap():
    runs = merge([run(1), run(0, first=(1, 1, 1, 1))])
    found = measure.accuracy(runs, measure.of_round(1, "system1"), "strict")
    assert found.estimate == pytest.approx((0.25 + 1) / 2)
    assert "2 seeds × problems (crossed)" in found.kind
    assert [r.seed for r in runs.runs] == [0, 1]


def test_other_problems_per_seed_are_nested():
    other = dataclasses.replace(run(1), problem_ids=("e", "f", "g", "h"))
    found = measure.accuracy(merge([run(0), other]), measure.of_round(1, "system1"), "strict")
    assert "nested" in found.kind


def test_seeds_that_are_all_right_do_not_claim_certainty():
    runs = merge([run(0), run(1)])
    found = measure.accuracy(runs, measure.of_round(1, "system2"), "strict", "GSM-level")
    assert found.kind == "Wilson 95% of one seed where all results agree"
    assert found.low < 1


def test_a_result_that_some_seeds_lack_is_not_run():
    partial = dataclasses.replace(run(1), rounds=run(1).rounds[:1])
    runs = merge([run(0), partial])
    assert measure.accuracy(runs, measure.of_round(2, "system1"), "strict") is None
    assert (
        measure.difference(runs, measure.of_round(2, "system1"), measure.of_round(1, "system1"), "strict")
        is None
    )


def test_difference_and_mcnemar():
    runs = merge([run()])
    second, first = measure.of_round(1, "system2"), measure.of_round(1, "system1")
    assert measure.difference(runs, second, first, "strict").estimate == 0.5
    assert measure.mcnemar_p(runs, second, first, "strict") == pytest.approx(0.5)  # 2 to 0: 2 / 2^2
    assert measure.mcnemar_p(merge([run(0), run(1)]), second, first, "strict") is None


def test_coverage_adds_up():
    runs = merge([run()])
    assert measure.coverage(runs, 1).estimate == 14 / 40
    assert measure.coverage(runs, 1, "GSM-level").estimate == 0.8
    assert measure.coverage(runs, 2) is None
    assert "nested" in measure.coverage(merge([run(0), run(1)]), 1).kind


def test_tokens():
    runs = merge([run()])
    assert measure.tokens_per_trajectory(runs, measure.of_round(1, "system2")) == 50
    assert measure.tokens_per_problem(runs, measure.of_round(1, "system2")) == 400
    assert measure.tokens_per_trajectory(runs, measure.of_round(3, "system2")) is None


def test_format():
    value = Interval(0.784, 0.701, 0.85, "Wilson 95%")
    assert render.format_value(value, "%") == "78.4 [70.1, 85.0]"
    assert render.format_value(Interval(0.05, -0.01, 0.11, ""), "points") == "+5.0 [-1.0, +11.0]"
    assert render.format_value(None, "%") == "not run"
    assert render.format_value(5453.2, "tokens") == "5453"
    assert render.format_value("–", "%") == "–"


GOLDEN = """\
Small
=====
measured (this run): %; [low, high]: Wilson 95%; two rows
round                All
------------------------
1      50.0 [10.0, 90.0]
2                not run

published (paper): %
round    All
------------
1      60.17
"""


def test_golden_text_and_markdown():
    half = Interval(0.5, 0.1, 0.9, "Wilson 95%")
    rows = ((("1",), (half,)), (("2",), (None,)))
    measured = tables.Block(tables.MEASURED, "%", ("round",), ("All",), rows, "two rows")
    paper = tables.Block(tables.PUBLISHED, "%", ("round",), ("All",), ((("1",), ("60.17",)),))
    table = tables.Table("small", "Small", (measured, paper))
    assert render.text([table]) == GOLDEN
    assert "| 1 | 50.0 [10.0, 90.0] |\n| 2 | not run |\n" in render.markdown([table])
    assert "**measured (this run)**: %; [low, high]: Wilson 95%; two rows\n" in render.markdown([table])


def test_measured_and_published_never_share_a_block():
    for table in tables.all_tables(merge([run()])):
        for block in table.blocks:
            assert block.label.startswith((tables.MEASURED, tables.PUBLISHED))
            if block.label == tables.PUBLISHED:
                assert "arXiv 2501.04519v1" in block.note
    names = [table.name for table in tables.all_tables(merge([run()]))]
    assert names[:5] == ["table_2", "table_3", "table_4", "table_6", "table_9"]
    assert names[-1] == "figure_3_round_2"


def test_both_graders_are_shown():
    table = tables.system1_table(merge([run()]))
    strict, released, paper = table.blocks
    assert ("strict" in strict.label, "released" in released.label) == (True, True)
    assert paper.label == tables.PUBLISHED
    assert strict.rows[1][1][-1].estimate == 0.5
    assert released.rows[1][1][-1].estimate == 0.75
    assert strict.columns == ("GSM-level (n=2)", "MATH-level (n=1)", "Olympiad-level (n=1)", "All (n=4)")


@pytest.mark.parametrize("summary", [run(), merge([run(0), run(1)])], ids=["one run", "two seeds"])
def test_report(summary, tmp_path):
    names = write_report(summary, tmp_path)
    assert names == ["tables.md", "tables.json", "coverage.png", "system1_system2.png", "scaling.png"]
    assert sorted(names) == sorted(entry.name for entry in tmp_path.iterdir())
    assert (tmp_path / "coverage.png").read_bytes().startswith(b"\x89PNG")
    assert "![coverage](coverage.png)" in (tmp_path / "tables.md").read_text()
    table_2 = json.loads((tmp_path / "tables.json").read_text())[0]
    assert table_2["blocks"][0]["rows"][0][1][0]["estimate"] == 0.8
    stream = io.StringIO()
    print_report(summary, stream)
    assert "not run" in stream.getvalue()
    assert "Table 6" in stream.getvalue()


def test_importing_plots_leaves_pyplot_alone():
    code = "import sys, rstar_jax.evaluation.plots; print('matplotlib.pyplot' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
