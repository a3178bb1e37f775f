"""Deep thinking on a question: Monte Carlo tree search with policy and PPM, as the paper does it at test time.

    python -m rstar_jax.solve "What is 12 * 34 - 5?" --model POLICY --ppm PPM
    python -m rstar_jax.solve --file questions.jsonl --json > answers.jsonl
    generate_questions | python -m rstar_jax.solve - --json

POLICY and PPM are folders or Hub ids; without them the newest finished run of the built-in example thinks. A file has a
question a line (.txt), or rows with a "question" (.jsonl, .json); standard input has a question a line.

While it thinks, standard error shows rollouts, depth of the tree and the best answer so far with its PPM score. Then
standard output has the answer, its steps with PPM score, Q and visits, and the other answers with their votes. Ctrl-C
ends with the best so far, and exit code 130; a second one ends at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import pathlib
import signal
import sys
from collections.abc import AsyncIterator, Callable, Iterator

import tyro

from rstar_jax.errors import EXIT_INTERRUPTED, InputError, run_main
from rstar_jax.models.sharding import make_mesh
from rstar_jax.problems.files import read_questions
from rstar_jax.thinking.flags import ModelFlags, keep_compiled, models_of
from rstar_jax.thinking.ordered import in_order
from rstar_jax.thinking.questions import STDIN, from_lines, given
from rstar_jax.thinking.system import System, open_system
from rstar_jax.thinking.thought import Effort, Thought, as_problem
from rstar_jax.thinking.view import Nothing, View, make_view, note, shown
from rstar_jax.thinking.words import report


@dataclasses.dataclass(frozen=True)
class Flags(ModelFlags):
    """What is asked, of whom, and how hard they think."""

    question: tyro.conf.Positional[str | None] = None  # "-": standard input has a question a line
    file: pathlib.Path | None = None  # of questions: .txt, .jsonl or .json
    effort: tyro.conf.OmitArgPrefixes[Effort] = Effort()
    seconds: float | None = None  # for each question at most; then the best so far is taken
    at_once: int = 16  # questions of a file at a time, which share the engines
    json: bool = False  # print a line of JSON for each question
    quiet: bool = False  # show nothing while it thinks


def questions_of(flags: Flags) -> AsyncIterator[str]:
    """Raises InputError: there is no question, or more than one source of them."""
    if (flags.question is None) == (flags.file is None):
        raise InputError('give a question in quotation marks, "-" for standard input, or a --file of questions')
    if flags.file is not None:
        return given(read_questions(flags.file))
    if flags.question == STDIN:
        return from_lines(sys.stdin)
    if not flags.question or not flags.question.strip():
        raise InputError("the question is empty")
    return given([flags.question])


@contextlib.contextmanager
def interruptible() -> Iterator[asyncio.Event]:
    """An event that the first Ctrl-C sets; the second has its usual effect."""
    loop, stop = asyncio.get_running_loop(), asyncio.Event()

    def interrupted() -> None:
        stop.set()
        loop.remove_signal_handler(signal.SIGINT)

    loop.add_signal_handler(signal.SIGINT, interrupted)
    try:
        yield stop
    finally:
        loop.remove_signal_handler(signal.SIGINT)


async def answer_all(
    system: System,
    questions: AsyncIterator[str],
    flags: Flags,
    stop: asyncio.Event,
    view: View,
    tell: Callable[[Thought], None],
) -> None:
    """Think about each question and tell what came out, in the order of the questions, until `stop` is set."""
    under_way: list[Thought] = []

    async def work(question: str) -> Thought:
        thought = system.begin(as_problem(question.strip()), flags.effort)
        under_way.append(thought)
        try:
            return await system.think(thought, seconds=flags.seconds, stop=stop)
        finally:
            under_way.remove(thought)

    async with shown(under_way, view):
        async for thought in in_order(questions, work, flags.at_once, stop):
            view.clear()
            tell(thought)


def tell(thought: Thought, as_json: bool) -> None:
    print(json.dumps(thought.to_json()) if as_json else report(thought), flush=True)


async def solve(flags: Flags) -> int:
    questions, models = questions_of(flags), models_of(flags)
    if flags.at_once < 1 or (flags.seconds is not None and flags.seconds <= 0):
        raise InputError("--at-once and --seconds must be positive")
    async with open_system(models, make_mesh(*flags.mesh), note) as system:
        with interruptible() as stop:
            view = Nothing() if flags.quiet else make_view(sys.stderr)
            await answer_all(system, questions, flags, stop, view, lambda thought: tell(thought, flags.json))
            return EXIT_INTERRUPTED if stop.is_set() else 0


def go() -> int:
    flags = tyro.cli(Flags, prog="python -m rstar_jax.solve", description=__doc__)
    keep_compiled(flags)
    return asyncio.run(solve(flags))


if __name__ == "__main__":
    run_main(go)
