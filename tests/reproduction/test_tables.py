"""Tables from made-up results: what stands where, whose number it is, and what was not run."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import re

import pytest

from rstar_jax.errors import InputError
from rstar_jax.evaluation import exports, render
from rstar_jax.evaluation.intervals import Interval
from rstar_jax.evaluation.paper import published
from rstar_jax.evaluation.tables import Gap, Published
from rstar_jax.reproduction.plan import MAIN, Column
from rstar_jax.reproduction.plans import paper_plan
from rstar_jax.reproduction.report import choose, disagreements, write_reports
from rstar_jax.reproduction.specs import Line, Rounds, specs
from rstar_jax.reproduction.tables import PAPER, columns_of, fill, paper_cell
from rstar_jax.reproduction.work import jobs
from rstar_jax.search import presets

NAMES = [f"table_{n}" for n in range(1, 11)]


def rows_of(block):
    return dict(block.rows)


def test_all_tables_of_the_paper_are_there(plan, rounds):
    made = specs(plan, rounds)
    assert set(NAMES) <= set(made)
    for name in NAMES:
        own = {line.paper for line in made[name].lines if line.paper is not None}
        table = published()[name]
        there = set(table.row_labels) if name != "table_1" else {(column,) for column in table.columns}
        if name != "table_2":
            assert own <= there, name


@pytest.mark.parametrize("name", [name for name in NAMES if name not in ("table_2", "table_9")])
def test_no_row_of_the_paper_is_lost_or_printed_twice(plan, rounds, name):
    own = [line.paper for line in specs(plan, rounds)[name].lines if line.paper is not None]
    table = published()[name]
    there = table.row_labels if name != "table_1" else [(column,) for column in table.columns]
    missing = set(there) - set(own)
    assert missing <= {("rStar Phi3-mini",)}  # Table 1 of a plan without that model
    assert len(own) == len(set(own))


def test_the_papers_cells_are_found_in_every_table():
    whole = paper_plan(presets.paper("test"))
    by_name = {column.paper: column for column in (*whole.columns, whole.omni)}
    made = specs(whole, Rounds((1, 2, 3, 4), ("", "", "", "")))
    expected = {
        ("table_1", "Omni-Math", ("rStar Qwen-7B",)): 50.5,
        ("table_1", "AIME24", ("rStar Phi3-mini",)): 43.3,
        ("table_5", "AIME24", ("rStar-Math^64 7B (Qwen2.5) + 7B PPM", "S2")): 53.3,
        ("table_7", "AIME24", ("SLM-r3", "random sample")): 10.0,
        ("table_8", "AMC23", ("PPM", "MCTS")): 87.5,
        ("table_10", "Olympiad", ("Qwen2-Math-7B → our policy",)): 43.9,
    }
    for (table, column, labels), value in expected.items():
        assert paper_cell(made[table], Line((), None, labels), by_name[column]) == value
    assert paper_cell(made["table_3"], Line((), None, ("SLM-r1",)), Column("AIME 2025", "aime2025")) is None


def test_nothing_was_run(plan, rounds, empty):
    for spec in specs(plan, rounds).values():
        for block in fill(spec, empty).blocks:
            for labels, values in block.rows:
                for value in values:
                    assert value in (None, "–") or isinstance(value, Published), (spec.name, labels, value)


def test_a_measured_cell_and_the_papers_are_told_apart(plan, rounds, study):
    for spec in specs(plan, rounds).values():
        table = fill(spec, study)
        for labels, values in table.blocks[0].rows:
            kinds = {type(value) for value in values if value is not None}
            if labels[-1] == PAPER:
                assert kinds == {Published}
            elif labels[-1].startswith("measured") and "−" not in labels[-1]:
                assert Published not in kinds
        for line in csv.DictReader(io.StringIO(exports.csv_text([table]))):
            assert (line["status"] == "published") == line["row"].endswith(PAPER)


def test_accuracies_are_means_with_intervals(plan, rounds, study):
    rows = rows_of(fill(specs(plan, rounds)["table_3"], study).blocks[0])
    strict, released = (rows["SLM-r4", f"measured, {grader}"] for grader in ("strict", "released"))
    seed = study.seeds[0]
    way = next(line.way for line in specs(plan, rounds)["table_3"].lines if line.labels == ("SLM-r4",))
    flags = [rows[0].strict for rows in seed.found[MAIN, "held-out", way.evaluation].of("greedy")]
    assert strict[-1].estimate == pytest.approx(sum(flags) / len(flags))
    assert all(isinstance(value, Interval) and value.low <= value.estimate <= value.high for value in strict)
    assert all(b.estimate >= a.estimate for a, b in zip(strict, released, strict=True))
    assert rows["SLM-r4", PAPER][1] == Published(78.4)
    assert rows["SLM-r4", PAPER][2] == Published(None)
    gap = rows["SLM-r4", "released − paper"][1]
    assert gap.value == pytest.approx(released[1].estimate - 0.784)


def test_seeds_give_intervals_over_seeds_and_problems(plan, rounds, seeds):
    table = fill(specs(plan, rounds)["table_3"], seeds)
    value = rows_of(table.blocks[0])["SLM-r4", "measured, strict"][-1]
    assert value.kind == "percentile bootstrap over 3 seeds × problems (nested), 95%"
    assert "the interval excludes 0" in table.blocks[1].note


def test_every_system_2_row_has_baselines_of_equal_tokens(plan, rounds, study):
    for name in ("table_1", "table_4", "table_5", "table_6", "table_8"):
        spec = specs(plan, rounds)[name]
        searches = [line.way for line in spec.lines if line.way and line.way.evaluation.kind == "search"]
        compared = {(one.first, one.second.rule) for one in spec.comparisons if one.second.equal_to == one.first}
        assert searches
        for way in searches:
            assert {(way, "best"), (way, "majority")} <= compared, (name, way)
        costs = rows_of(fill(spec, study).blocks[-1])
        assert all(None not in values for values in costs.values())


def test_equal_tokens_are_equal(plan, rounds, study):
    spec = specs(plan, rounds)["table_6"]
    costs = rows_of(fill(spec, study).blocks[-1])
    assert costs["Round 1",][0] == 80.0  # two searches of 40 tokens
    bought = next(line.way for line in spec.lines if line.way and line.way.equal_to is not None)
    assert study.cost(bought, columns_of(spec, plan)).generated == 60.0  # all six samples: they are too few
    assert study.short(bought, columns_of(spec, plan)) == 24
    assert "fewer samples of a problem" in fill(spec, study).blocks[0].note


def test_differences_are_marked_when_they_are_clear(plan, rounds, study):
    spec = specs(plan, rounds)["table_3"]
    way = spec.comparisons[0].first
    gap = study.difference(way, way, plan.columns[-1], "strict")
    assert (gap.gap.estimate, gap.p_value, gap.is_clear) == (0.0, 1.0, False)
    for labels, values in fill(spec, study).blocks[1].rows:
        for value in values:
            assert isinstance(value, Gap), labels


def test_coverage(plan, rounds, study):
    rows = rows_of(fill(specs(plan, rounds)["table_2"], study).blocks[0])
    assert rows["4", "SLM-r3, PPM-r3", "measured"][0].estimate == 0.7
    assert rows["4", "SLM-r3, PPM-r3", PAPER][3] == Published(90.25)
    assert rows["1", "bootstrap", "measured"][3].estimate == 0.55
    assert rows["1", "", "measured − paper"][3].value == pytest.approx(0.55 - 0.6017)


def test_what_has_to_be_run_comes_in_order(plan, rounds):
    wanted = choose(plan, rounds)
    places = {job: place for place, job in enumerate(wanted.jobs)}
    assert len(places) == len(wanted.jobs)
    for job, place in places.items():
        if job.evaluation.kind == "scored":
            assert places[dataclasses.replace(job, evaluation=job.evaluation.samples)] < place
    runs = [job.run for job in wanted.jobs]
    assert runs == sorted(runs, key=lambda run: run != MAIN)


def test_one_table_needs_only_its_own(plan, rounds):
    wanted = choose(plan, rounds, ["table_3"])
    assert {job.evaluation.kind for job in wanted.jobs} == {"greedy"}
    assert len(wanted.jobs) == 5
    spec = specs(plan, rounds)["table_3"]
    assert {job.evaluation for job in jobs(spec.ways, plan.columns)} == {job.evaluation for job in wanted.jobs}


def test_an_unknown_table_is_one_sentence(plan, rounds):
    with pytest.raises(InputError, match="there is no table_11; known are table_1, "):
        choose(plan, rounds, ["table_11"])


def test_files(plan, rounds, study, tmp_path):
    wanted = choose(plan, rounds)
    tables, files = write_reports(study, wanted, tmp_path)
    assert {file.name for file in tmp_path.iterdir()} == set(files)
    assert {f"table_{n}.{kind}" for n in range(1, 11) for kind in ("md", "tex", "csv")} <= set(files)
    assert {f"figure_{n}.{kind}" for n in (3, 5, 6, 7) for kind in ("png", "svg")} <= set(files)
    for figure in tmp_path.glob("*.png"):
        assert figure.read_bytes().startswith(b"\x89PNG")
    for table in tables:
        text = (tmp_path / f"{table.name}.tex").read_text()
        assert text.count(r"\begin{tabular}") == len(table.blocks)
        for line in re.findall(r"^[^%\n].*\\\\$", text, re.M):
            assert "%" not in line.replace(r"\%", "")
    lines = [json.loads(line) for line in (tmp_path / "disagreements.jsonl").read_text().splitlines()]
    assert lines == list(disagreements(study))
    assert all(line["strict"] != line["released"] and line["times"] > 0 for line in lines)
    assert all(line["answer"] == f"{line['gold']}.0" for line in lines)


def test_markdown_prints_the_papers_numbers_in_italics(plan, rounds, study):
    text = render.markdown([fill(specs(plan, rounds)["table_3"], study)])
    row = next(line for line in text.splitlines() if line.startswith("| SLM-r4 | published"))
    assert row == "| SLM-r4 | published (paper) | *89.7* | *78.4* | – |"


@pytest.mark.parametrize(
    ("value", "shown"), [(60.17, "60.17"), (78.4, "78.4"), (90.0, "90.0"), (5453, "5453"), (3.33, "3.33")]
)
def test_the_papers_numbers_are_printed_as_they_stand_there(value, shown):
    assert render.format_value(Published(value), "%") == shown


def test_latex_escapes():
    assert exports.escape("50 % of a_b → 1 − 2 & ^64") == r"50 \% of a\_b $\rightarrow$ 1 $-$ 2 \& \textasciicircum{}64"
