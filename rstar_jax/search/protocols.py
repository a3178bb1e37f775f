"""What search asks of the rest of the house, and nothing more.

Every interface is stateless: callers hand over the whole path, and what an implementation keeps warm is its
own affair (design section 3). All of them are safe to call from thousands of coroutines of one event loop.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Sequence
from typing import Literal, Protocol

from rstar_jax.problems.problem import Problem

Finish = Literal["stop", "length", "overlong"]
Outcome = Literal["ok", "error", "timeout", "refused"]


@dataclasses.dataclass(frozen=True)
class Path:
    """The problem and the step texts from the root to a node: the only name a node has outside its tree.

    Step texts are verbatim: `"".join(steps)` is the response so far, tags, `<output>` blocks and newlines
    included.
    """

    problem: Problem
    steps: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        return "".join(self.steps)

    def child(self, step: str) -> Path:
        return Path(self.problem, (*self.steps, step))


@dataclasses.dataclass(frozen=True)
class Proposal:
    """One candidate step.

    `text` ends with its closing tag when `finish` is "stop". "length" means that the token limit of a step
    was hit, "overlong" that the context is full. `n_tokens` counts generated tokens, the closing tag
    included.
    """

    text: str
    finish: Finish = "stop"
    logprob: float = 0.0
    n_tokens: int = 0


@dataclasses.dataclass(frozen=True)
class Execution:
    """Outcome of one snippet in the state that its history left; `output` is what is shown to the model.

    `state` names the state that it left: equal names, equal states. "": not known, which equals nothing.
    """

    outcome: Outcome
    output: str = ""
    state: str = ""


class Proposer(Protocol):
    """The policy model, or whatever plays its part."""

    async def propose(self, path: Path, n: int, key: int) -> list[Proposal]:
        """Draw n candidate next steps. Equal (path, n, key) give equal proposals, whatever else runs."""
        ...


class Scorer(Protocol):
    """The process preference model."""

    async def score(self, paths: Sequence[Path]) -> list[float]:
        """A value in [-1, 1] for the last step of each path (section 3.4.1)."""
        ...


class Executor(Protocol):
    """Runs code steps."""

    async def expand(self, history: tuple[str, ...], snippets: Sequence[str]) -> list[Execution]:
        """Run each snippet in the interpreter state that `history` leaves; snippets never see each other."""
        ...


class Grader(Protocol):
    """Judges a final answer."""

    async def grade(self, answer: str, truth: str) -> bool:
        """Whether `answer` equals `truth`; never raises on any text, never exceeds its time limit."""
        ...


def sample_key(seed: int, *names: str | int) -> int:
    """A 63-bit key that depends on seed and names only: f(seed, problem id, tree, node, candidate)."""
    text = "\x1f".join([str(seed), *map(str, names)])
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") >> 1
