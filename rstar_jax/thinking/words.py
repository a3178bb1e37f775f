"""What a thought says, in words for a person."""

from __future__ import annotations

from rstar_jax.thinking.outcome import Alternative, Outcome
from rstar_jax.thinking.thought import Thought

WIDEST = 80  # characters of a question or an answer in a line about something else


def progress(thought: Thought, outcome: Outcome, seconds: float) -> str:
    """How far it is, after so many seconds."""
    rate = outcome.tokens / seconds if seconds > 0 else 0.0
    parts = [
        f"rollout {outcome.rollouts}/{thought.rollouts}",
        f"depth {outcome.depth}",
        best(outcome),
        f"{rate:.0f} tokens/s",
        f"{seconds:.1f} s",
    ]
    return ", ".join(parts)


def best(outcome: Outcome) -> str:
    """The answer so far."""
    if outcome.answer is None or outcome.score is None:
        return "no answer yet"
    votes = outcome.alternatives[0].votes
    return f"best {short(outcome.answer)} (PPM {outcome.score:+.2f}, {votes} of {_count(outcome.solutions)})"


def report(thought: Thought) -> str:
    """The end: the answer, its steps with their scores, the alternatives, what it cost."""
    outcome = thought.outcome()
    question, cost = thought.problem.question, _cost(thought, outcome)
    blocks = [question, _answer(outcome), _steps(outcome), _alternatives(outcome), cost]
    return plain("\n\n".join(block for block in blocks if block)) + "\n"


def short(text: str) -> str:
    """On one line, and cut."""
    line = " ".join(plain(text).split())
    return line if len(line) <= WIDEST else f"{line[: WIDEST - 1]}…"


def plain(text: str) -> str:
    """Without what a terminal would obey: a program may have printed anything."""
    return "".join(letter if letter.isprintable() or letter in "\n\t" else "�" for letter in text)


def _answer(outcome: Outcome) -> str:
    if outcome.answer is None or outcome.score is None:
        return "No solution was finished. The most promising beginning of one:" if outcome.steps else "Nothing yet."
    return f"Answer: {outcome.answer}    (PPM {outcome.score:+.3f}, {_votes(outcome.alternatives[0], outcome)})"


def _steps(outcome: Outcome) -> str:
    """Each step behind its PPM score, its Q and its visits."""
    lines = []
    for step in outcome.steps:
        score = "      " if step.score is None else f"{step.score:+.3f}"
        margin = f"{score}  Q {step.q:+.2f}  N {step.visits:<3} "
        text = step.text.strip("\n").split("\n")
        lines += [f"{margin} | {text[0]}", *(f"{'':{len(margin)}} | {line}" for line in text[1:])]
    return "\n".join(lines)


def _alternatives(outcome: Outcome) -> str:
    if len(outcome.alternatives) < 2:
        return ""
    others = outcome.alternatives[1:]
    lines = [f"  {short(one.answer)}: {_votes(one, outcome)}, best PPM {one.score:+.3f}" for one in others]
    return "\n".join(["Alternatives:", *lines])


def _votes(one: Alternative, outcome: Outcome) -> str:
    return f"{one.votes} of {_count(outcome.solutions)}"


def _count(solutions: int) -> str:
    return f"{solutions} solution{'' if solutions == 1 else 's'}"


def _cost(thought: Thought, outcome: Outcome) -> str:
    seconds = thought.seconds or 0.0
    rate = f" ({outcome.tokens / seconds:.0f} tokens/s)" if seconds else ""
    return (
        f"{outcome.rollouts} rollouts, depth {outcome.depth}, {outcome.nodes} nodes, "
        f"{outcome.tokens:,} tokens, {seconds:.1f} s{rate}{_ending(thought, outcome)}"
    )


def _ending(thought: Thought, outcome: Outcome) -> str:
    """Why there are not more rollouts."""
    if thought.ending == "done":
        return "; nothing more could be found" if outcome.rollouts < thought.rollouts else ""
    return {"time": "; time was up", "stopped": "; stopped"}.get(thought.ending, "")
