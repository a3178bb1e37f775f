"""Questions that come by and by, and work on them in their order."""

from __future__ import annotations

import asyncio
import contextlib
import io
import os

import pytest

from rstar_jax.errors import InputError
from rstar_jax.thinking.ordered import in_order
from rstar_jax.thinking.questions import from_lines, given


async def everything(source) -> list:
    return [item async for item in source]


def test_lines_are_text_or_json():
    lines = ["What is 1 + 1?", "", '{"question": "two\\nlines"}', '{"problem": "p"}', '"quoted"', "{1, 2}: sum?"]
    found = asyncio.run(everything(from_lines(io.StringIO("\n".join(lines)))))
    assert found == ["What is 1 + 1?", "two\nlines", "p", "quoted", "{1, 2}: sum?"]


@pytest.mark.parametrize("line", ['{"answer": 3}', '{"question": ""}', '{"question": 7}'])
def test_json_without_a_question(line):
    with pytest.raises(InputError, match='standard input, line 2: no "question"'):
        asyncio.run(everything(from_lines(io.StringIO(f"What?\n{line}\n"))))


def test_a_line_is_there_before_the_next_one_is_written():
    """As with a person at the other end, or a program that waits for each answer."""
    read, write = os.pipe()

    async def run():
        with open(read) as lines:
            questions = from_lines(lines)
            for number in range(3):
                os.write(write, f"question {number}\n".encode())
                assert await anext(questions) == f"question {number}"
            os.close(write)
            assert await everything(questions) == []

    asyncio.run(asyncio.wait_for(run(), 20))


class Work:
    """Thing → seconds that it takes; `most` is how many were at work at once."""

    def __init__(self, failing: int | None = None):
        self.now = self.most = self.begun = 0
        self.failing = failing

    async def __call__(self, seconds: float) -> float:
        self.begun += 1
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            if self.begun - 1 == self.failing:
                raise OSError("out of order")
            await asyncio.sleep(seconds)
            return seconds
        finally:
            self.now -= 1


def test_results_come_in_order_and_not_too_many_at_once():
    work, things = Work(), [0.05, 0.0, 0.02, 0.03, 0.0, 0.01] * 3
    found = asyncio.run(everything(in_order(given(things), work, 4, asyncio.Event())))
    assert (found, work.most, work.now) == (things, 4, 0)


def test_a_result_does_not_wait_for_the_next_thing():
    async def run():
        async def things():
            yield 0.0
            await asyncio.sleep(60)

        source = in_order(things(), Work(), 2, asyncio.Event())
        async with contextlib.aclosing(source):
            return await asyncio.wait_for(anext(source), 10)

    assert asyncio.run(run()) == 0.0


def test_after_a_stop_nothing_begins():
    async def run():
        stop, work = asyncio.Event(), Work()
        asyncio.get_running_loop().call_later(0.1, stop.set)

        async def things():
            yield 0.2
            yield 0.3
            await asyncio.sleep(60)

        return await asyncio.wait_for(everything(in_order(things(), work, 4, stop)), 10), work.begun

    assert asyncio.run(run()) == ([0.2, 0.3], 2)


def test_a_failure_ends_the_rest():
    work = Work(failing=1)
    with pytest.raises(OSError, match="out of order"):
        asyncio.run(everything(in_order(given([0.0, 0.0, 60.0, 60.0]), work, 4, asyncio.Event())))
    assert work.now == 0


def test_a_wrong_question_comes_after_the_answers_before_it():
    async def run():
        source = in_order(from_lines(io.StringIO("a\n{}\n")), _same, 4, asyncio.Event())
        assert await anext(source) == "a"
        with pytest.raises(InputError, match="line 2"):
            await anext(source)

    asyncio.run(run())


async def _same(thing):
    return thing
