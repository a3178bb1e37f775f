"""The report of a run whose trees the fakes have grown: what is on it, and that nothing on it is a model's markup."""

from __future__ import annotations

import asyncio
import dataclasses
import html.parser
import json
import subprocess
import sys

import pytest

from rstar_jax.datasets.build import build
from rstar_jax.datasets.outcomes import by_problem
from rstar_jax.evaluation.summary import Coverage, RoundSummary, RunSummary, Scores, write_summary
from rstar_jax.evolution.never_solved import write_never_solved
from rstar_jax.evolution.run_dir import RunDir
from rstar_jax.files import write_json, write_jsonl
from rstar_jax.problems.problem import Problem
from rstar_jax.report.curves import Curve, costs, curves, rounds_of
from rstar_jax.report.page import write_page
from rstar_jax.report.worth import first_right, worth_reading
from rstar_jax.search import presets
from rstar_jax.search.shards import shard_file, trees_of
from rstar_jax.search.store import write_trees
from rstar_jax.search.trajectories import trajectories
from rstar_jax.search.tree import Tree

NASTY = "What is </script><script>alert(1)</script> & <b>2</b>?"
N_PROBLEMS = 30


class Reader(html.parser.HTMLParser):
    """Tags, links and text of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.ids: set[str] = set()
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        found = dict(attrs)
        self.links += [found["href"]] if tag == "a" else []
        self.ids |= {found["id"]} if "id" in found else set()

    def handle_data(self, data):
        self.words.append(data)


def summary() -> RunSummary:
    scores = Scores((1.0, 0.0), (1.0, 1.0), (10, 20), (5, 5), (1, 1), (2, 2), (0.1, 0.2))
    rounds = tuple(
        RoundSummary(number, "x", {"GSM-level": Coverage(3 + number, 10)}, scores, scores, scores) for number in (1, 2)
    )
    return RunSummary("made up", 0, "two problems", ("a", "b"), ("GSM-level", "MATH-level"), rounds)


def recovering(tree: Tree) -> Tree:
    """The fake PPM values texts at random; here the first long right solution gets worse, and better again."""
    long = [one for one in trajectories(tree) if one.correct and len(one.nodes) >= 4]
    for node, value in zip(long[0].nodes if long else (), (0.1, -0.6, 0.8), strict=False):
        tree.ppm[node] = value
    return tree


@pytest.fixture(scope="module")
def run(fakes, tmp_path_factory) -> RunDir:
    found = RunDir(tmp_path_factory.mktemp("run"))
    problems = [Problem(f"p/{i}", NASTY if i == 7 else f"What is {i}?", str(i % 4 + 1)) for i in range(N_PROBLEMS)]

    async def grow(number: int):
        # The first round tries little, so that the second has something to solve.
        rollouts, candidates = (1, 1) if number == 1 else (12, 8)
        config = dataclasses.replace(presets.default("sample"), rollouts=rollouts, candidates=candidates)
        return await asyncio.gather(
            *(fakes.grow(config, problem, number, index=index) for problem in problems for index in range(2))
        )

    for number in (1, 2):
        trees = asyncio.run(grow(number))
        write_trees(shard_file(found.trees(number), 0), map(recovering, trees) if number == 2 else trees)
        build(by_problem(trees_of(found.trees(number))), found.data(number))
        write_never_solved(found, number)
        write_json(found.data_counts(number), {"sft_rows": 7 * number, "pair_rows": 9})
        write_json(found.round(number) / "metrics" / "search.json", {"seconds": 1.5, "ppm_scored": 11})
        for model in ("policy", "ppm"):
            rows = [{"step": 10 * k, "loss": 1.0 / k, "accuracy": 0.5 + k / 20} for k in range(1, 9)]
            write_jsonl(found.round(number) / model / "metrics.jsonl", rows)
    return found


@pytest.fixture(scope="module")
def page(run) -> Reader:
    return Reader(write_page(run, summary()).read_text())


def test_sections_and_their_links(page):
    titles = {"results", "training", "cost", "trees", "tables"}
    assert titles <= page.ids
    assert {f"#{name}" for name in titles} <= set(page.links)
    assert page.tags.count("svg") == 4  # coverage, systems, PPM, training; nothing has scaled here


def test_every_link_leads_somewhere(run, page):
    files = [link for link in page.links if not link.startswith("#")]
    assert len(files) == 12
    for link in files:
        assert (run.report / link).exists(), link


def test_what_models_wrote_is_text(run, page):
    assert "script" not in page.tags
    worth = worth_reading(run, 2, trees_of(run.trees(2)), each=N_PROBLEMS)
    assert any(one.tree.problem.question == NASTY for one in worth)
    text = write_page(run, summary()).read_text()
    assert "<script>alert" not in text
    for file in (run.report / "trees").glob("*.html"):
        assert "<script>alert" not in file.read_text()


def test_costs_are_those_of_the_files(run):
    first, second = costs(run)
    trees = list(trees_of(run.trees(1)))
    assert (first.problems, first.trees, first.tokens) == (N_PROBLEMS, len(trees), sum(tree.tokens for tree in trees))
    assert (second.seconds, second.scored, second.sft_rows) == (1.5, 11, 14)
    assert rounds_of(run) == [1, 2]


def test_curves(run):
    first, _ = curves(run, "ppm", "loss")
    assert first.steps == tuple(range(10, 90, 10))
    assert first.values[1] == 0.5
    assert Curve("x", (1, 2, 3), (2.0, 2.0, 2.0)).smooth == pytest.approx([2.0, 2.0, 2.0])
    assert curves(run, "ppm", "held_out_accuracy") == []


def test_trees_worth_reading(run):
    found = worth_reading(run, 2, trees_of(run.trees(2)), each=3)
    kinds = [one.why for one in found]
    assert kinds == sorted(kinds, key=["solved late", "corrected on the way", "never solved"].index)
    solved_before = {
        row["problem"]
        for row in map(json.loads, (run.data(1) / "selection.jsonl").read_text().splitlines())
        if row["correct"]
    }
    late = [first_right(one.tree) for one in found if one.why == "solved late"]
    assert late == sorted(late, reverse=True)
    for one in found:
        assert len(one.trees) == 2
        right = any(first_right(tree) is not None for tree in one.trees)
        if one.why == "solved late":
            assert one.tree.problem.id not in solved_before
        if one.why == "never solved":
            assert not right
            assert one.tree.problem.id not in solved_before


def test_the_command(run, tmp_path):
    command = [sys.executable, "-m", "rstar_jax.report"]
    refused = subprocess.run([*command, str(tmp_path)], capture_output=True, text=True, check=False)
    assert refused.returncode == 2
    assert "no finished run is there" in refused.stderr
    write_summary(run.summary, summary())
    made = subprocess.run([*command, str(run.root)], capture_output=True, text=True, check=True)
    assert str(run.report / "report.html") in made.stdout
