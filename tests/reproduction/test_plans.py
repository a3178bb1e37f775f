"""The paper's plan: which benchmarks, how many trajectories, and where their problems come from."""

from __future__ import annotations

import dataclasses
import json
import pathlib

import pytest

from rstar_jax.errors import InputError
from rstar_jax.evolution import presets as whole_runs
from rstar_jax.evolution.run_dir import RunDir
from rstar_jax.problems.benchmark_table import BENCHMARKS
from rstar_jax.problems.files import write_problems
from rstar_jax.problems.problem import Problem
from rstar_jax.reproduction.evaluations import Evaluation, settings
from rstar_jax.reproduction.models import model_folder
from rstar_jax.reproduction.plan import HELD_OUT
from rstar_jax.reproduction.plans import NEVER, paper_plan
from rstar_jax.reproduction.work import problems_of
from rstar_jax.search import presets

PLAN = paper_plan(presets.paper("test"))


def test_trajectories_are_the_papers():
    found = {column.title: PLAN.trees(column.benchmark) for column in PLAN.columns}
    assert {name for name, count in found.items() if count == 16} == {"AIME 2024", "AIME 2025", "AMC 2023"}
    assert set(found.values()) == {8, 16}
    assert PLAN.most == 64
    assert PLAN.counts[-1] == 64


def test_every_benchmark_of_the_table_is_asked_but_the_5000_of_math():
    asked = {column.benchmark for column in (*PLAN.columns, PLAN.omni)}
    assert asked == set(BENCHMARKS) - {"math"}


def test_variants_change_one_setting_each():
    for name, search in PLAN.variants.items():
        changed = [
            field.name
            for field in dataclasses.fields(search)
            if getattr(search, field.name) != getattr(PLAN.search, field.name)
        ]
        assert len(changed) == 1, name
    assert PLAN.variants["failing steps kept"].errors_threshold == NEVER


def test_problems_come_from_a_folder_by_name_or_from_the_run(tmp_path):
    rows = [{"index": i, "question": f"What is {i}?", "answer": str(i)} for i in range(40)]
    (tmp_path / BENCHMARKS["amc2023"].file).write_text(json.dumps(rows))
    plan = dataclasses.replace(PLAN, benchmarks=str(tmp_path))
    run = RunDir(tmp_path / "run")
    found = problems_of(plan, run, "amc2023")
    assert [problem.id for problem in found[:2]] == ["amc2023/0", "amc2023/1"]
    write_problems(run.problems / "test.jsonl", [Problem("a", "1?", "1")])
    assert [problem.id for problem in problems_of(plan, run, HELD_OUT)] == ["a"]
    (tmp_path / BENCHMARKS["amc2023"].file).write_text(json.dumps(rows[:39]))
    with pytest.raises(InputError, match="AMC 2023 has 40 rows, found 39"):
        problems_of(plan, run, "amc2023")


def test_the_released_files_have_the_papers_problems():
    folder = pathlib.Path(__file__).parents[3] / "shared" / "data" / "eval"
    if not folder.exists():
        pytest.skip("the released files are not here")
    plan = dataclasses.replace(PLAN, benchmarks=str(folder))
    names = [column.benchmark for column in PLAN.columns if column.paper]
    sizes = {name: len(problems_of(plan, RunDir(pathlib.Path("none")), name)) for name in names}
    assert sizes == {name: BENCHMARKS[name].usable for name in names}
    assert sizes["math500"] == 500


def test_models_lie_where_the_run_has_them(tmp_path):
    run = RunDir(tmp_path)
    assert model_folder(run, "base") == run.base
    assert model_folder(run, "SLM-r3") == run.policy(3)
    assert model_folder(run, "PPM-r4") == run.ppm(4)
    assert model_folder(run, "ORM-r4") == run.baseline(4, "orm")
    assert model_folder(run, "SLM-random-sample") == tmp_path / "ablations" / "SLM-random-sample"


@pytest.mark.parametrize(
    ("evaluation", "name", "trees"),
    [
        (Evaluation("SLM-r4", "search", "PPM-r4", many=True), "SLM-r4+PPM-r4.search.many", 64),
        (Evaluation("SLM-r1", "search", "PPM-r4"), "SLM-r1+PPM-r4.search", 16),
        (Evaluation("SLM-r4", "search", "PPM-r4", "beam"), "SLM-r4+PPM-r4.search.beam", 16),
        (Evaluation("SLM-r4", "search", "PPM-r4", "c=1"), "SLM-r4+PPM-r4.search.c=1", 1),
    ],
)
def test_settings_of_a_search(evaluation, name, trees):


    config = whole_runs.paper("x", "some/base")
    found = settings(config, PLAN, evaluation, "aime2024")
    assert evaluation.name == name
    assert found.n_trees == trees
    assert found.methods == ("search",)
    assert found.search.beam == (8 if evaluation.variant == "beam" else None)
