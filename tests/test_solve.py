"""The command, with made-up models in place of real ones; `tests/serve/test_processes.py` has it with real ones."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import os
import pathlib
import signal

import pytest

from rstar_jax import solve
from rstar_jax.errors import InputError
from rstar_jax.search import presets
from rstar_jax.thinking.questions import given
from rstar_jax.thinking.thought import Effort, QuestionTooLong, begin, grow
from rstar_jax.thinking.view import Nothing

EVAL = dataclasses.replace(presets.default("eval"), rollouts=4, candidates=5)


@pytest.fixture
def system(fakes):
    """As `thinking.system.System`; a question with "sleep" in it is thought about for ever."""

    class Asleep:
        times = 6

        async def propose(self, path, n, key):
            self.times -= 1
            if self.times < 0:
                await asyncio.sleep(60)
            return await fakes.FakeProposer().propose(path, n, key)

    class System:
        def begin(self, problem, effort):
            if len(problem.question) > 100:
                raise QuestionTooLong("the question has 101 tokens")
            return begin(problem, EVAL, effort)

        async def think(self, thought, **options):
            proposer = Asleep() if "sleep" in thought.problem.question else fakes.FakeProposer(0.005)
            return await grow(thought, proposer, fakes.FakeExecutor(), fakes.FakeScorer(), **options)

    return System()


def answer(system, flags, *questions: str, interrupt: bool = False) -> list:
    """The thoughts that are told, in their order; interrupt: by Ctrl-C, after a while."""
    told = []

    async def run():
        with solve.interruptible() as stop:
            if interrupt:
                asyncio.get_running_loop().call_later(0.3, os.kill, os.getpid(), signal.SIGINT)
            await solve.answer_all(system, given(questions), flags, stop, Nothing(), told.append)

    asyncio.run(run())
    return told


def test_answers_come_in_the_order_of_the_questions(system):
    questions = [f"What is {number}?" for number in range(10)]
    told = answer(system, solve.Flags(at_once=4, effort=Effort(trajectories=2)), *questions)
    assert [thought.problem.question for thought in told] == questions
    assert all(thought.ending == "done" and len(thought.trees) == 2 for thought in told)


def test_ctrl_c_ends_with_the_best_so_far(system):
    told = answer(system, solve.Flags(at_once=2), "sleep 1", "sleep 2", "What is 3?", interrupt=True)
    assert [thought.ending for thought in told] == ["stopped", "stopped"]
    assert all(thought.outcome().answer for thought in told)


def test_time_limits_hold_for_each_question(system):
    told = answer(system, solve.Flags(seconds=0.2), "sleep 1", "What is 3?")
    assert [thought.ending for thought in told] == ["time", "done"]


def test_a_question_that_is_too_long_is_named(system):
    with pytest.raises(InputError, match="the question has 101 tokens"):
        answer(system, solve.Flags(), "x" * 101)


def test_json_is_a_line_a_question(system, capsys):
    [thought] = answer(system, solve.Flags(), "What is 3?")
    solve.tell(thought, as_json=True)
    [line] = capsys.readouterr().out.splitlines()
    found = json.loads(line)
    assert found["question"] == "What is 3?"
    assert found["answer"] == found["alternatives"][0]["answer"] == thought.outcome().answer
    assert [step["text"] for step in found["steps"]] == [step.text for step in thought.outcome().steps]
    solve.tell(thought, as_json=False)
    assert f"Answer: {found['answer']}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (solve.Flags(), "give a question in quotation marks"),
        (solve.Flags(question="What?", file=pathlib.Path("q.txt")), "give a question in quotation marks"),
        (solve.Flags(question=" "), "the question is empty"),
        (solve.Flags(file=pathlib.Path("nowhere.txt")), "nowhere.txt: no such file"),
    ],
)
def test_where_questions_come_from(flags, words):
    with pytest.raises(InputError, match=words):
        solve.questions_of(flags)


def test_a_file_of_questions(tmp_path):
    path = tmp_path / "questions.jsonl"
    path.write_text('{"question": "What is 1 + 1?"}\n{"problem": "What is 2?", "answer": "2"}\n')

    async def read():
        return [question async for question in solve.questions_of(solve.Flags(file=path))]

    assert asyncio.run(read()) == ["What is 1 + 1?", "What is 2?"]
