"""The bootstrap prompt: its demonstrations are right, in our format, and drawn once per problem."""

from __future__ import annotations

import contextlib
import io
import re

import pytest

from rstar_jax.evolution.bootstrap.few_shot import (
    DEMONSTRATIONS,
    chat_prompt,
    completion_prompt,
    draw_demonstrations,
)
from rstar_jax.problems.problem import Problem
from rstar_jax.trajectory.tags import STEP_ENDS

SHAPE = (
    r"Question: .+\n<code>\n(.+)\n<end_of_code>\n"
    r"<output>(.*)<end_of_output>\n<answer>(.+)<end_of_answer>"
)
PROBLEM = Problem("p1", "What is $1 + 1$?", "2")


@pytest.mark.parametrize("demonstration", DEMONSTRATIONS)
def test_demonstration_runs_and_prints_what_it_shows(demonstration: str) -> None:
    found = re.fullmatch(SHAPE, demonstration, re.DOTALL)
    assert found is not None
    code, output, answer = found.groups()
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(code.replace("<end_of_step>", ""), {})
    assert printed.getvalue() == output + "\n"
    assert "# Now print the final answer\nprint(" in code
    assert answer.count(r"\boxed{") == 1


@pytest.mark.parametrize(("number", "answer"), [*enumerate(["180", "7", r"\frac{5}{12}", "B"])])
def test_demonstrations_end_with_their_answers(number: int, answer: str) -> None:
    assert rf"\boxed{{{answer}}}" in DEMONSTRATIONS[number]


def test_demonstrations_depend_on_the_problem_only() -> None:
    assert draw_demonstrations(PROBLEM) == draw_demonstrations(Problem("p1", "another", "3"))
    drawn = {tuple(draw_demonstrations(Problem(f"p{i}", "", "1"))) for i in range(200)}
    assert len(drawn) == 12  # every ordered pair
    assert all(len(set(pair)) == 2 for pair in drawn)


def test_completion_prompt_ends_with_the_solution_so_far() -> None:
    steps = "<code>\nx = 1\n<end_of_step>"
    prompt = completion_prompt(PROBLEM, steps)
    assert prompt.endswith(f"Question: What is $1 + 1$?\n{steps}")
    assert prompt.startswith(completion_prompt(PROBLEM, ""))
    assert prompt.count("Question: ") == 4  # template, two demonstrations, the question
    assert all(tag in prompt for tag in STEP_ENDS)
    assert all(package in prompt for package in ("math", "sympy", "scipy", "numpy"))
    assert "Worked examples" not in completion_prompt(PROBLEM, "", shots=0)


def test_chat_prompt_asks_for_the_continuation() -> None:
    assert "Write only the first part" in chat_prompt(PROBLEM, "")
    assert "Continue this solution exactly where it stops" in chat_prompt(PROBLEM, "<code>")


def test_the_answer_is_never_shown() -> None:
    problem = Problem("p1", "What?", "8675309")
    assert "8675309" not in completion_prompt(problem, "") + chat_prompt(problem, "")
