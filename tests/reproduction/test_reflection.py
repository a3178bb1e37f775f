"""Self-reflection: the paper's Figure 4, and what must not count."""

from __future__ import annotations

import math

import pytest

from rstar_jax.problems.problem import Problem
from rstar_jax.reproduction.reflection import ReflectionRule, Solved, count, find, of_tree
from rstar_jax.search.config import SearchConfig
from rstar_jax.search.tree import ROOT, NewNode, expand, new_tree

# Figure 4: three SymPy steps that lead nowhere, then a brute-force search.
STEPS = (
    "<code>\n# Define the symbols\nx = symbols('x')\n<end_of_step>",
    "\n# Define the equation\nequation = Eq(2 * x**2, 149)\n<end_of_step>",
    "\n# Solve it\nsolutions = solve(equation, x)\n<end_of_step>",
    "\n# Try all integers instead\nsolutions = [(a, b) for a in range(9) for b in range(9)]\n<end_of_step>",
    "\n# Now print the final answer\nprint(5)\n<end_of_code>\n<output>5<end_of_output>",
    "<answer>The answer is \\boxed{5}<end_of_answer>",
)
VALUES = (-0.08, -0.219, -0.348, 0.620, 0.698, 0.835)


def solved(values=VALUES, steps=STEPS, correct=True, problem="p"):
    return Solved("What is x + y?", problem, "5", steps, values, correct)


def test_the_papers_example_is_found():
    found = find(solved())
    assert (found.low, found.switch) == (2, 3)
    assert found.rise == pytest.approx(0.968)
    assert found.redoes == ("solutions",)
    assert found.is_reflection


def test_its_other_branch_is_none():
    assert find(solved((-0.08, -0.219, -0.348, -0.517, -0.52, -0.529))) is None


@pytest.mark.parametrize(
    "values",
    [
        (-0.9, 0.8, 0.8, 0.8, 0.8, 0.8),  # a hard question, not an approach that got worse
        (0.5, 0.1, 0.4, 0.6, 0.7, 0.8),  # never low
        (0.0, -0.4, 0.1, 0.2, 0.25, 0.28),  # no jump
        (0.0, -0.4, 0.9, 0.9, 0.2, -0.8),  # recovers and fails after all
    ],
)
def test_no_recovery(values):
    assert find(solved(values)) is None


def test_a_recovery_that_takes_nothing_back_is_no_reflection():
    steps = (*STEPS[:3], "\n# Go on\nlast = 1\n<end_of_step>", *STEPS[4:])
    found = find(solved(steps=steps))
    assert not found.is_reflection


def test_a_second_program_behind_an_output_takes_something_back():
    steps = (
        "<code>\nx = 1\n<end_of_step>",
        "\nprint(x)\n<end_of_code>\n<output>1<end_of_output>",
        "<code>\ny = 2\nprint(y)\n<end_of_code>\n<output>2<end_of_output>",
        "<answer>\\boxed{2}<end_of_answer>",
    )
    found = find(solved((0.1, -0.6, 0.7, 0.9), steps))
    assert found.reopens
    assert found.redoes == ()
    assert found.is_reflection


def test_answers_of_training_trees_are_judged_by_the_truth():
    unscored = (*VALUES[:-1], math.nan)
    assert find(solved(unscored)) is not None
    assert find(solved(unscored, correct=False)) is None


def test_counts():
    several = [
        solved(),
        solved(),  # the same text again
        solved((-0.08, -0.219, -0.348, -0.517, -0.52, -0.529), problem="q", correct=False),
        solved((0.9,) * 6, problem="r"),
        solved((math.nan,) * 6, problem="s"),
    ]
    totals, found = count(several)
    assert (totals.solutions, totals.unscored) == (3, 1)
    assert (totals.low, totals.recovered, totals.reflected) == (2, 1, 1)
    assert (totals.low_right, totals.recovered_right, totals.reflected_right) == (1, 1, 1)
    assert [one.solution.problem for one in found] == ["p"]
    assert count(several, ReflectionRule(low=-0.9))[0].low == 0


def test_a_tree_keeps_what_was_not_taken():
    tree = new_tree(Problem("p", "What is x + y?", "5"), SearchConfig(terminal="ppm", prior="visit"))
    node = ROOT
    for place, (text, value) in enumerate(zip(STEPS, VALUES, strict=True)):
        new = [NewNode(text, "answer" if place == 5 else "step", "5" if place == 5 else "")]
        if place == 3:
            new.append(NewNode("\n# Go on with SymPy\n<end_of_step>", "step"))
        children = expand(tree, node, new)
        tree.ppm[children[0]] = value
        if place == 3:
            tree.ppm[children[1]] = -0.517
        node = children[0]
    (one,) = of_tree(tree)
    assert one.values == VALUES
    assert one.contrast[3] == (-0.517, "\n# Go on with SymPy\n<end_of_step>")
    assert math.isnan(one.contrast[0][0])
    assert find(one).switch == 3
