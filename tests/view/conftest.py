"""Trees to look at, and a browser to look with."""

from __future__ import annotations

import asyncio
import dataclasses
import pathlib
import random
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from types import ModuleType
from typing import Any

import pytest

from rstar_jax.problems.problem import Problem
from rstar_jax.search import presets
from rstar_jax.search.mcts import search
from rstar_jax.search.protocols import Path, Proposal
from rstar_jax.search.tree import ROOT, NewNode, Refused, Tree, backup, expand, new_tree
from rstar_jax.view.document import document
from rstar_jax.view.html import page
from rstar_jax.view.marks import Marks

HOSTILE = "</script><script>document.title='taken'</script><img src=x onerror=\"document.title='taken'\">&amp;<!--"


@dataclasses.dataclass
class Wordy:
    """Writes steps as long as those of a real policy, and hardly one twice."""

    async def propose(self, path: Path, n: int, key: int) -> list[Proposal]:
        dice = random.Random(f"{key} {path.text}")
        return [self._one(path, dice) for _ in range(n)]

    def _one(self, path: Path, dice: random.Random) -> Proposal:
        if path.text.endswith("<end_of_output>"):
            text = f"\n<answer>So it is \\boxed{{{dice.randint(1, 3)}}}.<end_of_answer>"
            return Proposal(text, "stop", -2.0, 9)
        line = f"total_{dice.randint(0, 99)} = sum(value * {dice.randint(2, 9)} for value in values)"
        step = f"# Step {len(path.steps) + 1}: add what case {dice.randint(0, 99)} leaves\n{line}\n{line[::-1]!r}"
        end = "print(x)\n<end_of_code>" if len(path.steps) > 1 else "<end_of_step>"
        return Proposal(f"{'' if path.steps else '<code>'}\n{step}\nx = 1\n{end}", "stop", -20.0, 44)


@pytest.fixture(scope="session")
def large(fakes: ModuleType) -> Tree:
    """A tree of about 400 nodes, as round 4 grows them."""
    config = dataclasses.replace(presets.default("sample"), rollouts=40)
    tools = (Wordy(), fakes.FakeExecutor(), fakes.FakeGrader(), fakes.FakeScorer())
    searching = search(Problem("large", "Add it all up.", "2"), config, *tools)
    with ThreadPoolExecutor(1) as thread:  # in this one the browser's loop may be running
        tree = thread.submit(asyncio.run, searching).result()
    assert 400 <= len(tree) <= 450
    return tree


@pytest.fixture
def small() -> Tree:
    """Four rollouts by hand: a right and a wrong answer, an error, a dead end, and proposals of every fate.

    0 ─ 1 ─ 3 right            rollouts 0, 0
      │   └ 4 wrong            2
      ├ 2                      0; a dead end in 1
      └ 5 error                3
    """
    config = dataclasses.replace(presets.paper(2), rollouts=4, candidates=8, failure_backup="root", errors="leaf")
    tree = new_tree(Problem("p/1", "What is 1 + 1?", "2", level="MATH-level", source="gsm8k"), config)
    expand(tree, ROOT, [NewNode("<code>\n# Add\nx = 1 + 1\nprint(x)\n<end_of_code>\n<output>2<end_of_output>", "code",
                                count=3, logprob=-3.0, n_tokens=12, outcome="ok", output="2"),
                        NewNode("Let me think.<end_of_step>", "thought", n_tokens=4)])  # fmt: skip
    expand(tree, 1, [NewNode("\n<answer>\\boxed{2}<end_of_answer>", "answer", "2")])
    tree.correct[3] = True
    backup(tree, 3, 1.0)
    tree.refused += [Refused(ROOT, tree.text[1].partition("\n<output>")[0], "duplicate", 12)] * 2
    tree.refused += [Refused(ROOT, "", "empty"), Refused(ROOT, "<code>\ny = ", "cut", 5)]
    tree.rollouts = 1
    tree.drawn[2] = 1
    tree.refused += [Refused(2, "<code>\n1/0\n<end_of_code>", "error", 5, "ZeroDivisionError: division by zero", 1)]
    tree.refused += [Refused(2, "<code>\n1/0\n<end_of_code>", "duplicate", 5, "", 1)]
    tree.closed[2] = True
    backup(tree, 2, -1.0)
    tree.rollouts = 2
    expand(tree, 1, [NewNode("\n<answer>\\boxed{3}<end_of_answer>", "answer", "3")])
    tree.correct[4] = False
    backup(tree, 4, -1.0)
    tree.rollouts = 3
    expand(tree, ROOT, [NewNode(f"<code>\nraise ValueError({HOSTILE!r})\n<end_of_code>", "error", outcome="error",
                                output=f"ValueError: {HOSTILE}", errors=1)])  # fmt: skip
    backup(tree, 5, -1.0)
    tree.rollouts = 4
    return tree


@pytest.fixture(scope="module")  # while it runs, its loop is in the way of others in this thread
def chromium() -> Iterator[Any]:
    """A headless browser; tests that need one are skipped where there is none."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if found is None:
        pytest.skip("no Chromium is installed (Debian: apt install chromium)")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=found)
        yield browser
        browser.close()


@dataclasses.dataclass
class Looked:
    """A page in the browser, and what it asked for and complained of."""

    page: Any
    requests: list[str]
    complaints: list[str]

    def text(self, selector: str) -> str:
        return self.page.locator(selector).inner_text()

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def play(self, rollouts: int) -> None:
        self.page.locator("#rollout").fill(str(rollouts))

    def settle(self) -> None:
        """Waits until nothing moves any more."""
        self.page.wait_for_timeout(250)

    @property
    def selected(self) -> int:
        (name,) = self.page.locator('[aria-selected="true"]').evaluate_all("found => found.map(one => one.id)")
        return int(name.removeprefix("node-"))

    @property
    def visible(self) -> list[int]:
        names = self.page.locator("#nodes > g:visible").evaluate_all("found => found.map(one => one.id)")
        return sorted(int(name.removeprefix("node-")) for name in names)


@pytest.fixture
def look(chromium: Any, tmp_path: pathlib.Path) -> Iterator[Callable[..., Looked]]:
    """look(tree, marks) opens the page of a tree from the disk. Afterwards nothing may have gone wrong."""
    opened: list[Looked] = []

    def open_page(tree: Tree, marks: Marks | None = None, **options: Any) -> Looked:
        file = tmp_path / f"{len(opened)}.html"
        file.write_text(page(document(tree, marks or Marks("By nobody."))), encoding="utf-8")
        usual = {"viewport": {"width": 1280, "height": 800}, "reduced_motion": "reduce"}
        context = chromium.new_context(**usual | options)
        context.set_default_timeout(120_000)  # of a busy machine
        looked = Looked(context.new_page(), [], [])
        looked.page.on("request", lambda request: looked.requests.append(request.url))
        looked.page.on("console", lambda message: looked.complaints.append(message.text))
        looked.page.on("pageerror", lambda error: looked.complaints.append(str(error)))
        looked.page.goto(file.as_uri())
        opened.append(looked)
        return looked

    yield open_page
    for looked in opened:
        assert looked.complaints == []
        assert len(looked.requests) == 1
        assert looked.requests[0].startswith("file://")
        looked.page.context.close()
