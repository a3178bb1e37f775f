"""Problems whose labels should be looked at."""

from __future__ import annotations

import asyncio
import dataclasses

from rstar_jax.datasets.build import build
from rstar_jax.datasets.outcomes import by_problem
from rstar_jax.evolution.never_solved import NEVER_SOLVED, doubt, write_never_solved
from rstar_jax.evolution.run_dir import RunDir
from rstar_jax.files import read_jsonl
from rstar_jax.problems.problem import Problem
from rstar_jax.search import presets
from rstar_jax.search.shards import trees_of
from rstar_jax.search.tree import ROOT, NewNode, expand, new_tree


def tree_with(problem: Problem, answers: list[str], index: int = 0):
    tree = new_tree(problem, presets.paper(1), index=index)
    expand(tree, ROOT, [NewNode(f"<answer>{n}", "answer", answer=answer) for n, answer in enumerate(answers)])
    return tree


def test_the_answer_that_most_give_instead() -> None:
    problem = Problem("p", "What?", "1")
    row = doubt([tree_with(problem, ["2", "3", "2.0"]), tree_with(problem, ["\\frac{4}{2}"], 1)])
    assert (row["most_common"], row["agree"], row["trajectories"], row["answer"]) == ("2", 0.75, 4, "1")
    assert doubt([tree_with(problem, [])])["most_common"] is None


def test_those_that_no_round_has_solved(fakes, tmp_path) -> None:
    """Round 1 solves what its fakes happen to solve, round 2 has another grader: what either solved is not listed."""
    run, config = RunDir(tmp_path), dataclasses.replace(presets.default("sample"), rollouts=4)
    problems = [dataclasses.replace(one, answer="7" if n % 2 else "2") for n, one in enumerate(fakes.problems(8))]

    def search(number: int, some: list[Problem], seed: int) -> None:
        async def trees(problem: Problem):
            return [await fakes.grow(config, problem, seed=seed)]

        asyncio.run(fakes.run(some, trees, run.trees(number)))
        build(by_problem(trees_of(run.trees(number))), run.data(number))

    search(1, problems, seed=0)
    search(2, problems, seed=1)
    selections = [read_jsonl(run.data(number) / "selection.jsonl") for number in (1, 2)]
    solved = {row["problem"] for rows in selections for row in rows if row["correct"]}
    assert solved == {problem.id for problem in problems[::2]}
    assert write_never_solved(run, 2) == 4
    rows = read_jsonl(run.data(2) / NEVER_SOLVED)
    assert {row["id"] for row in rows} == {problem.id for problem in problems[1::2]}
    assert [row["agree"] for row in rows] == sorted((row["agree"] for row in rows), reverse=True)
