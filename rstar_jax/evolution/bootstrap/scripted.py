"""A scripted proposer that plays the large model's part in round 1 of the built-in example (section 3.4.2).

It stands in for DeepSeek-Coder-V2-Instruct: it knows the method for the easier families only, misreads numbers, picks
wrong methods, writes code that fails and misquotes outputs at set rates. For other families it mostly treats the
question like one that it knows, and sometimes tries any method at all. It never sees an answer: it gets the question
and the steps so far, nothing else.
"""

from __future__ import annotations

import dataclasses
import random
import re

from rstar_jax.evolution.bootstrap.methods import FAMILY_METHODS, METHODS, Method, Reading, check, read
from rstar_jax.search.protocols import Path, Proposal, sample_key
from rstar_jax.trajectory.tags import ANSWER, CODE, END_OF_ANSWER, END_OF_CODE, END_OF_OUTPUT, END_OF_STEP, OUTPUT

_OUTPUT = re.compile(re.escape(OUTPUT) + r"(.*?)" + re.escape(END_OF_OUTPUT), re.DOTALL)
_RESULT = re.compile(r"^r = ", re.MULTILINE)


@dataclasses.dataclass(frozen=True)
class ScriptedConfig:
    """What it knows, and how often it errs.

    known: families whose method it knows. wrong_method: chance of another method in spite of that. guess: in a
    family that it does not know, the chance that it tries any method of its whole repertoire. misread: chance of
    a wrong digit, per digit. check: chance that it looks at the question again before it answers. code_error: chance
    of code that fails. misquote: chance of a wrong final answer.
    """

    known: tuple[str, ...] = ("chain_sum", "products", "gcd", "simple_equations", "number_sequence")
    wrong_method: float = 0.15
    guess: float = 0.3
    misread: float = 0.02
    check: float = 0.95
    code_error: float = 0.08
    misquote: float = 0.05


class ScriptedProposer:
    """`Proposer` by rules. Tokens are counted as words, for want of a tokenizer."""

    def __init__(self, config: ScriptedConfig = ScriptedConfig()):
        unknown = set(config.known) - set(FAMILY_METHODS)
        if unknown:
            raise ValueError(f"no method is written down for {sorted(unknown)}")
        self.config = config

    async def propose(self, path: Path, n: int, key: int) -> list[Proposal]:
        return [self._proposal(path, random.Random(sample_key(key, index))) for index in range(n)]

    def _proposal(self, path: Path, rng: random.Random) -> Proposal:
        text = self._step(path, rng)
        return Proposal(text, n_tokens=len(text.split()))

    def _step(self, path: Path, rng: random.Random) -> str:
        steps = path.steps
        if not steps:
            return f"{CODE}\n{self._flawed(self._reading_step(path, rng), rng)}\n{END_OF_STEP}"
        if END_OF_CODE in steps[-1]:
            return f"\n{ANSWER}The answer is \\boxed{{{self._quoted(steps[-1], rng)}}}{END_OF_ANSWER}"
        if _RESULT.search(path.text):
            return f"\n{self._last_step(path, rng)}\n{END_OF_CODE}"
        return self._method_step(path, rng)

    def _reading_step(self, path: Path, rng: random.Random) -> str:
        question, wanted = path.problem.question, self._method(path, rng).reading
        others: list[Reading] = ["terms", "expression", "numbers", "times", "equation"]
        candidates = [read(question, reading) for reading in (wanted, *others)]
        return next((text for text in candidates if text), "# Nothing to read\nn = [0]")

    def _last_step(self, path: Path, rng: random.Random) -> str:
        """The result, and whether a second look at the question confirms it."""
        result = self._name("r", rng)
        condition = check(path.problem.question, _reading_of(path.steps[0]))
        if condition is None or rng.random() >= self.config.check:
            return f"# Now print the final answer\nprint({result})"
        return f"# Check it with the question\nprint({result}, {self._misread(condition, rng)})"

    def _method_step(self, path: Path, rng: random.Random) -> str:
        """The next step of a method that fits what was read."""
        reading = _reading_of(path.steps[0])
        method = self._method(path, rng)
        if method.reading != reading or not method.steps:
            fitting = [m for m in METHODS.values() if m.reading == reading and m.steps]
            method = rng.choice(fitting)
        place = min(len(path.steps), len(method.steps))
        step = method.steps[place - 1]
        step = step if rng.random() >= self.config.code_error else _broken(step, rng)
        ends_code = method.prints and place == len(method.steps)
        return f"\n{step}\n{END_OF_CODE if ends_code else END_OF_STEP}"

    def _method(self, path: Path, rng: random.Random) -> Method:
        family, config = path.problem.source, self.config
        if family in config.known and rng.random() >= config.wrong_method:
            return METHODS[rng.choice(FAMILY_METHODS[family])]
        if family in config.known or rng.random() < config.guess:
            return rng.choice(list(METHODS.values()))
        return METHODS[rng.choice(FAMILY_METHODS[rng.choice(config.known)])]

    def _flawed(self, step: str, rng: random.Random) -> str:
        comment, code = step.split("\n", 1)
        step = f"{comment}\n{self._misread(code, rng)}"
        return step if rng.random() >= self.config.code_error else _broken(step, rng)

    def _misread(self, code: str, rng: random.Random) -> str:
        def digit(found: re.Match[str]) -> str:
            return rng.choice("0123456789") if rng.random() < self.config.misread else found.group()

        return re.sub(r"\d", digit, code)

    def _quoted(self, step: str, rng: random.Random) -> str:
        found = _OUTPUT.search(step)
        output = re.sub(" (True|False)$", "", found.group(1).strip()) if found else ""
        return output if rng.random() >= self.config.misquote else output[:-1] or "0"

    def _name(self, name: str, rng: random.Random) -> str:
        return name if rng.random() >= self.config.code_error else rng.choice(["result", "answer", "r["])


def _reading_of(step: str) -> Reading:
    marks: tuple[tuple[str, Reading], ...] = (
        ("# Read the terms", "terms"),
        ("n = [", "numbers"),
        ("f = lambda", "equation"),
        ("t = [", "times"),
    )
    for mark, reading in marks:
        if mark in step:
            return reading
    return "expression"


def _broken(step: str, rng: random.Random) -> str:
    """The step with one of the mistakes that make code fail."""
    return rng.choice((step.replace(" = ", " = 1 / 0 + ", 1), step.replace(" = ", " == ", 1), step + ")"))
