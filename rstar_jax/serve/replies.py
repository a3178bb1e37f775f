"""Answers of OpenAI's chat completions: whole, and in pieces. The field `search` is ours."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Sequence
from typing import Any, Literal

from rstar_jax.thinking.thought import Thought

FinishReason = Literal["stop", "length"]
DONE = "data: [DONE]\n\n"
KEEP_ALIVE = ": still thinking\n\n"


@dataclasses.dataclass(frozen=True)
class Reply:
    """What all pieces of an answer share.

    created: seconds since 1970. ignored: messages that were not read.
    """

    id: str
    created: int
    model: str
    prompt_tokens: int
    stops: Sequence[str] = ()
    ignored: int = 0

    def whole(self, thought: Thought) -> dict[str, Any]:
        """A `chat.completion`."""
        text = _cut(thought.outcome().text, self.stops)
        message = {"role": "assistant", "content": text, "refusal": None}
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": self._finish(thought, text)}
        return {
            **self._head("chat.completion"),
            "choices": [choice],
            "usage": self._usage(thought),
            "search": self._search(thought),
        }

    def first(self) -> dict[str, Any]:
        return self._chunk({"role": "assistant", "content": ""})

    def thinking(self, words: str) -> dict[str, Any]:
        """What is found out on the way, in the field in which other servers stream the reasoning of their models."""
        return self._chunk({"reasoning_content": f"{words}\n"})

    def solution(self, thought: Thought) -> Iterator[dict[str, Any]]:
        """The solution step by step, then why it ends there."""
        outcome = thought.outcome()
        text = left = _cut(outcome.text, self.stops)
        for step in outcome.steps:
            piece, left = left[: len(step.text)], left[len(step.text) :]
            if piece:
                yield self._chunk({"content": piece})
        yield self._chunk({}, self._finish(thought, text)) | {"search": self._search(thought)}

    def usage(self, thought: Thought) -> dict[str, Any]:
        """The last piece, for who has asked for it."""
        return self._head("chat.completion.chunk") | {"choices": [], "usage": self._usage(thought)}

    def _head(self, kind: str) -> dict[str, Any]:
        return {"id": self.id, "object": kind, "created": self.created, "model": self.model}

    def _chunk(self, delta: dict[str, Any], finish: FinishReason | None = None) -> dict[str, Any]:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return self._head("chat.completion.chunk") | {"choices": [choice]}

    def _finish(self, thought: Thought, text: str) -> FinishReason:
        """length: time was up, the server ends, or no solution was finished within tokens, context and rollouts."""
        outcome = thought.outcome()
        whole = thought.ending == "done" and outcome.answer is not None
        return "stop" if whole or len(text) < len(outcome.text) else "length"

    def _usage(self, thought: Thought) -> dict[str, Any]:
        """Everything that search has generated counts; what is not part of the solution counts as reasoning."""
        outcome = thought.outcome()
        return {
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": outcome.tokens,
            "total_tokens": self.prompt_tokens + outcome.tokens,
            "completion_tokens_details": {"reasoning_tokens": outcome.tokens - outcome.solution_tokens},
        }

    def _search(self, thought: Thought) -> dict[str, Any]:
        found = thought.to_json()
        del found["question"]
        return found | {"ignored_messages": self.ignored}


def event(piece: dict[str, Any]) -> str:
    """A server-sent event."""
    return f"data: {json.dumps(piece)}\n\n"


def _cut(text: str, stops: Sequence[str]) -> str:
    """Up to the stop text that comes first."""
    return text[: min((text.index(stop) for stop in stops if stop in text), default=len(text))]
