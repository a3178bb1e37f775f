"""What a person sees of a thought."""

from __future__ import annotations

import asyncio
import dataclasses
import io

import pytest

from rstar_jax.search import presets
from rstar_jax.thinking import view as views
from rstar_jax.thinking.thought import Effort, as_problem, begin, grow
from rstar_jax.thinking.view import Lines, Screen, make_view, shown
from rstar_jax.thinking.words import plain, progress, report, short

EVAL = dataclasses.replace(presets.default("eval"), rollouts=4, candidates=5)


@pytest.fixture
def thought(fakes):
    bare = begin(as_problem("What is 2?"), EVAL, Effort(trajectories=2))
    return asyncio.run(grow(bare, fakes.FakeProposer(), fakes.FakeExecutor(), fakes.FakeScorer()))


def test_progress_before_and_after(thought):
    bare = begin(as_problem("What is 2?"), EVAL, Effort())
    assert progress(bare, bare.outcome(), 0.0) == "rollout 0/4, depth 0, no answer yet, 0 tokens/s, 0.0 s"
    found = thought.outcome()
    votes = found.alternatives[0].votes
    assert progress(thought, found, 2.0) == (
        f"rollout {found.rollouts}/8, depth {found.depth}, best {found.answer} (PPM {found.score:+.2f}, {votes} of "
        f"{found.solutions} solutions), {found.tokens / 2:.0f} tokens/s, 2.0 s"
    )


def test_the_report_has_everything(thought):
    text, found = report(thought), thought.outcome()
    assert text.startswith(f"What is 2?\n\nAnswer: {found.answer}    (PPM {found.score:+.3f}, ")
    for step in found.steps:
        first = step.text.strip("\n").split("\n")[0]
        assert f"{step.score:+.3f}  Q {step.q:+.2f}  N {step.visits:<3}  | {first}\n" in text
    for one in found.alternatives[1:]:
        assert f"\n  {one.answer}: {one.votes} of {found.solutions} solutions, best PPM {one.score:+.3f}" in text
    assert f"{found.rollouts} rollouts, depth {found.depth}, {found.nodes} nodes, {found.tokens:,} tokens" in text
    assert text.endswith("; nothing more could be found\n") == (found.rollouts < thought.rollouts)


def test_a_report_without_an_answer(thought):
    bare = dataclasses.replace(begin(as_problem("What?"), EVAL, Effort()), ending="stopped", seconds=0.0)
    assert "Nothing yet." in report(bare)
    assert report(bare).endswith("0 tokens, 0.0 s; stopped\n")
    tree = thought.trees[0]
    tree.ppm = [float("nan") if kind == "answer" else score for kind, score in zip(tree.kind, tree.ppm, strict=True)]
    unfinished = report(dataclasses.replace(thought, trees=[tree]))
    assert "No solution was finished. The most promising beginning of one:\n\n" in unfinished


def test_a_terminal_obeys_nobody():
    assert plain("a\x1b[2Jb\r\nc\td") == "a�[2Jb�\nc\td"
    assert short("two\n  lines " + "x" * 100) == "two lines " + "x" * 69 + "…"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("kind", [Screen, Lines])
def test_views_show_what_is_under_way(thought, kind, monkeypatch):
    monkeypatch.setattr(kind, "seconds", 0.01)
    file = Terminal() if kind is Screen else io.StringIO()
    under_way = [thought]

    async def run():
        view = make_view(file)
        assert type(view) is kind
        async with shown(under_way, view, clock=lambda: 12.0 + thought.started):
            await asyncio.sleep(0.05)
            under_way.clear()
            view.clear()
            print("an answer", file=file)
            await asyncio.sleep(0.05)

    asyncio.run(run())
    before, after = file.getvalue().split("an answer")
    expected = progress(thought, thought.outcome(), 12.0)
    assert "What is 2?" in before
    assert expected.split(",")[0] in before
    assert "What is 2?" not in after
    assert (kind is Screen) == ("\x1b" in before)


def test_what_a_view_raises_is_not_lost(thought):
    class Broken(views.Nothing):
        seconds = 0.01

        def show(self, thoughts, now):
            raise OSError("no more paper")

    async def run():
        async with shown([thought], Broken()):
            await asyncio.sleep(0.05)

    with pytest.raises(OSError, match="no more paper"):
        asyncio.run(run())
