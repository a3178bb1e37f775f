"""New problems by a scripted model: what is kept, why not, and that nothing is asked twice."""

from __future__ import annotations

import asyncio
import json
import pathlib
import subprocess
import sys

import pytest

from rstar_jax.evolution.synthesis import SynthesisConfig, attempt, kept_problems, synthesise
from rstar_jax.files import read_jsonl
from rstar_jax.journal import Journal
from rstar_jax.problems.files import read_problems
from rstar_jax.problems.problem import Problem

ROOT = pathlib.Path(__file__).parents[3]
SEED = Problem("seed-1", "What is $1+1$?", "2", "Olympiad-level")


def make(problem: str, answers: list[str], **settings) -> dict:
    """The attempt of a model that gives this reply and, one after the other, these answers."""
    left = list(answers)

    async def ask(prompt: str, temperature: float, seed: int) -> str:
        return left.pop(0) if "Solve this problem" in prompt else problem

    config = SynthesisConfig(solutions=len(answers), **settings)
    return asyncio.run(attempt(SEED, 0, config, ask))


def boxed(*answers: str) -> list[str]:
    return [f"Well, \\boxed{{{answer}}}." for answer in answers]


NEW = "First I think.\nNEW PROBLEM:\nWhat is $2+3$?\n"


def test_a_problem_is_kept_if_enough_agree() -> None:
    row = make(NEW, [*boxed("5", "6", "5.0", "\\frac{10}{2}"), "I do not know."])
    assert (row["question"], row["answer"], row["votes"]) == ("What is $2+3$?", "5", 3)
    assert "why_not" not in row
    (problem,) = kept_problems([row])
    assert (problem.question, problem.answer, problem.level, problem.source) == (
        "What is $2+3$?",
        "5",
        "Olympiad-level",
        "synthetic",
    )


@pytest.mark.parametrize(
    ("reply", "answers", "reason"),
    [
        (NEW, boxed("5", "6", "7", "5"), "too few agree"),
        (NEW, ["no", "no", "no"], "no answer"),
        ("What is $2+3$?", boxed("5", "5", "5"), "no problem in the reply"),
        ("NEW PROBLEM:\n \n", boxed("5", "5", "5"), "no problem in the reply"),
        ("NEW PROBLEM: what is 1 + 1?", boxed("2", "2", "2"), "the seed problem again"),
    ],
)
def test_why_a_problem_is_not_kept(reply: str, answers: list[str], reason: str) -> None:
    row = make(reply, answers)
    assert row["why_not"] == reason
    assert kept_problems([row]) == []


def test_impossible_settings_are_refused() -> None:
    with pytest.raises(ValueError, match="cannot agree"):
        SynthesisConfig(solutions=2, agree=3)


def test_a_second_start_asks_only_what_is_missing(tmp_path) -> None:
    seeds = [Problem(f"seed-{number}", f"What is {number}?", "1") for number in range(5)]
    config = SynthesisConfig(attempts=2, solutions=3)
    asked: list[tuple[str, int]] = []

    async def ask(prompt: str, temperature: float, seed: int) -> str:
        asked.append((prompt, seed))
        if fails and len(asked) > 20:
            raise RuntimeError("killed")
        return f"NEW PROBLEM: {seed}?" if "NEW" in prompt else "\\boxed{7}"

    def start() -> list[dict]:
        with Journal(tmp_path / "attempts.jsonl") as journal:
            asyncio.run(synthesise(seeds, config, ask, journal, concurrency=2))
            return list(journal.rows())

    fails = True
    with pytest.raises(ExceptionGroup):
        start()
    fails, finished = False, len(read_jsonl(tmp_path / "attempts.jsonl"))
    before = len(asked)
    rows = start()
    assert sorted((row["seed_problem"], row["attempt"]) for row in rows) == [
        (seed.id, number) for seed in seeds for number in range(2)
    ]
    assert len(asked) - before == 4 * (10 - finished)
    assert len(set(asked)) == 40  # every question has a seed of its own, the same when it is asked again
    assert start() == rows


def test_the_script_with_a_server(tmp_path, scripted, answer) -> None:

    def reply(request):
        text = request.body["messages"][0]["content"]
        words = f"NEW PROBLEM:\nWhat is {request.body['seed']}?" if "NEW" in text else "\\boxed{7}"
        return answer(body={"choices": [{"message": {"content": words}}]})

    scripted.otherwise = reply
    seeds = tmp_path / "seeds.jsonl"
    seeds.write_text("".join(json.dumps({"question": f"{n}?", "answer": n}) + "\n" for n in range(3)))
    script, out = ROOT / "experiments" / "synthesize_problems.py", tmp_path / "out"
    options = ["--seeds", seeds, "--out", out, "--model", "m", "--base-url", scripted.address]
    command = [sys.executable, script, *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("3 problems of 3 attempts\n")
    asked = len(scripted.requests)
    assert asked == 3 * 11
    more = subprocess.run([*command, "--attempts", "2"], capture_output=True, text=True, timeout=120)
    assert more.stdout.startswith("6 problems of 6 attempts\n")
    assert len(scripted.requests) == 2 * asked
    other = subprocess.run(
        [*command[:-2], "--model", "n", *command[-2:]], capture_output=True, text=True, timeout=120
    )
    assert (other.returncode, other.stderr.count("\n")) == (2, 1)
    assert "model differ" in other.stderr
    assert [problem.answer for problem in read_problems(tmp_path / "out" / "problems.jsonl")] == ["7"] * 6
