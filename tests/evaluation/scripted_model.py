"""An engine whose words come from a function of the text before them: what a model would write, to its end."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from rstar_jax.inference.config import Completion, EngineConfig, Sampling
from rstar_jax.inference.text_stops import StopTexts
from rstar_jax.trajectory.tokenizer import Tokenizer

Write = Callable[[str, int], str]


class ScriptedEngine:
    """As `PolicyEngine`: tokens in, tokens out, ended by stop texts, limits, or a stop token."""

    def __init__(self, tokenizer: Tokenizer, write: Write, end_id: int, max_length: int = 4096):
        self.engine_config = EngineConfig(max_length=max_length)
        self.read: list[str] = []
        self._tokenizer, self._write, self._end_id = tokenizer, write, end_id
        self._stops = StopTexts(tokenizer.decode)

    async def generate(self, prompt: Sequence[int], n: int, sampling: Sampling, key: int) -> list[Completion]:
        text = self._tokenizer.decode(prompt)
        self.read.append(text)
        return [self._completion(self._write(text, key + number), sampling) for number in range(n)]

    def _completion(self, text: str, sampling: Sampling) -> Completion:
        tokens = [*self._tokenizer.encode(text), self._end_id]
        end = self._stops.end(tokens, len(tokens), sampling.stop) if sampling.stop else None
        length = min(end or len(tokens), sampling.max_tokens)
        return Completion(tuple(tokens[:length]), -0.5 * length, "stop" if length == (end or len(tokens)) else "length")


def turns(script: Mapping[str, Sequence[str]]) -> Write:
    """Question → what the model writes at first, after the first output, after the second, …"""

    def write(text: str, key: int) -> str:
        question = max(script, key=lambda question: text.rfind(question))
        response = re.split(r"\nAnswer:|<\|im_start\|>assistant\n", text)[-1]
        return script[question][response.count("```output")]

    return write
