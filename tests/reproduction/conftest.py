"""A study with made-up results of a small plan, as fixtures, since tests are imported without their folder."""

from __future__ import annotations

import math
import random

import pytest

from rstar_jax.evaluation.aggregate import collect
from rstar_jax.evaluation.results import NO_TREE, TrajectoryRow
from rstar_jax.evaluation.summary import Coverage
from rstar_jax.problems.problem import LEVELS, Problem
from rstar_jax.reproduction import plans
from rstar_jax.reproduction.plan import HELD_OUT, Column, Other, StudyPlan
from rstar_jax.reproduction.published import QWEN_1_5B
from rstar_jax.reproduction.report import choose
from rstar_jax.reproduction.specs import Rounds
from rstar_jax.reproduction.study import SeedResults, Study
from rstar_jax.search.config import SearchConfig

SEARCH = SearchConfig(rollouts=2, candidates=2, terminal="ppm", prior="visit")
PLAN = StudyPlan(
    columns=(
        Column("GSM-level", HELD_OUT, "GSM-level", paper="GSM8K"),
        Column("MATH-level", HELD_OUT, "MATH-level", paper="MATH"),
        Column("All", HELD_OUT),
    ),
    search=SEARCH,
    methods={"beam": SEARCH},
    variants=plans.variants(SEARCH, c=(1.0,)),
    others=(Other("small", QWEN_1_5B),),
    trajectories=2,
    most=4,
    counts=(1, 2, 4),
    samples=6,
    most_samples=8,
    is_analogue=True,
)
ROUNDS = Rounds((1, 2, 3, 4), ("bootstrap", "SLM-r1", "SLM-r2, PPM-r2", "SLM-r3, PPM-r3"))


@pytest.fixture(scope="session")
def plan() -> StudyPlan:
    return PLAN


@pytest.fixture(scope="session")
def rounds() -> Rounds:
    return ROUNDS


@pytest.fixture(scope="session")
def empty() -> Study:
    """Nothing was run."""
    return Study(PLAN, [SeedResults(0, {HELD_OUT: _problems(0)}, {})])


@pytest.fixture(scope="session")
def study() -> Study:
    """Everything was run, with one seed."""
    return Study(PLAN, [_seed(0)])


@pytest.fixture(scope="session")
def seeds() -> Study:
    """Everything was run, with three seeds, each with problems of its own."""
    return Study(PLAN, [_seed(seed) for seed in range(3)])


def _problems(seed: int) -> list[Problem]:
    return [Problem(f"p/{seed}/{i}", f"What is {i}?", str(i), LEVELS[i % 3]) for i in range(24)]


def _seed(seed: int) -> SeedResults:
    problems, found = _problems(seed), {}
    for job in choose(PLAN, ROUNDS).jobs:
        one = job.evaluation
        if one.kind == "greedy":
            method, count, trees = "greedy", 1, False
        elif one.kind == "search":
            method, trees = "search", True
            count = 1 if one.variant in PLAN.variants else PLAN.most if one.many else PLAN.trajectories
        else:
            method, trees, count = "sample", False, PLAN.most_samples if one.many else PLAN.samples
        rows = [
            _row(problem, method, index, trees, random.Random(f"{seed} {job} {problem.id} {index}"))
            for problem in problems
            for index in range(count)
        ]
        found[job.run, job.benchmark, one] = collect(problems, rows)
    coverage = {n: {level: Coverage(10 + n, 20) for level in LEVELS} for n in ROUNDS.numbers}
    return SeedResults(seed, {HELD_OUT: problems}, found, coverage)


def _row(problem: Problem, method: str, index: int, trees: bool, dice: random.Random) -> TrajectoryRow:
    right = dice.random() < 0.6
    answer = problem.answer if right else f"{problem.answer}.0" if dice.random() < 0.2 else "-1"
    released = right or answer.endswith(".0")
    score = math.nan if method == "greedy" else dice.uniform(-1, 1)
    tree = index if trees else NO_TREE
    tokens = 40 if trees else 10
    return TrajectoryRow(
        problem.id, method, index, tree, answer, 0 if right else 1, score, right, released, tokens, 4, 2, 0.5, "answer"
    )
