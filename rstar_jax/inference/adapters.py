"""The engines behind the protocols of search: paths in; proposals and values out."""

from __future__ import annotations

import dataclasses
import functools
import itertools
import math
import re
from collections.abc import Sequence
from typing import Literal

from rstar_jax.inference.config import Completion, OverlongError, Sampling
from rstar_jax.inference.engine import Engine
from rstar_jax.inference.scoring import ScoringEngine
from rstar_jax.search.protocols import Path, Proposal
from rstar_jax.trajectory.prompts import PLAIN_FRAME, PromptFrame
from rstar_jax.trajectory.tags import ALL_TAGS
from rstar_jax.trajectory.tokenizer import Tokenizer

Squash = Literal["tanh", "tanh5"]
_PIECE = re.compile(f".*?(?:{'|'.join(map(re.escape, ALL_TAGS))})|.+", re.DOTALL)


class PathEncoder:
    """Token ids of prompt and path. Tokenizers cut at tags first, so pieces between them are encoded once."""

    def __init__(self, tokenizer: Tokenizer, frame: PromptFrame, remembered: int = 1 << 16):
        self._frame = frame
        self._piece = functools.lru_cache(remembered)(tokenizer.encode)

    def __call__(self, path: Path) -> list[int]:
        text = self._frame(path.problem.question, path.text)
        return list(itertools.chain.from_iterable(map(self._piece, _PIECE.findall(text))))


class PolicyProposer:
    """`Proposer` by the policy.

    max_context: tokens of prompt and completion together; what would exceed it ends as "overlong".
    """

    def __init__(
        self,
        engine: Engine,
        tokenizer: Tokenizer,
        sampling: Sampling,
        max_context: int,
        frame: PromptFrame = PLAIN_FRAME,
    ):
        if max_context > engine.engine_config.max_length:
            limit = engine.engine_config.max_length
            raise ValueError(f"max_context={max_context} exceeds the engine's {limit}")
        self.engine = engine
        self.tokenizer = tokenizer
        self.sampling = sampling
        self.max_context = max_context
        self._encode = PathEncoder(tokenizer, frame)

    async def propose(self, path: Path, n: int, key: int) -> list[Proposal]:
        """`n` candidate next steps; no text and "overlong" when the path fills the context."""
        prompt = self._encode(path)
        room = self.max_context - len(prompt)
        if room < 1:
            return [Proposal("", "overlong")] * n
        sampling = dataclasses.replace(self.sampling, max_tokens=min(self.sampling.max_tokens, room))
        completions = await self.engine.generate(prompt, n, sampling, key)
        return [self._proposal(completion) for completion in completions]

    def _proposal(self, completion: Completion) -> Proposal:
        finish, n_tokens = completion.finish, len(completion.tokens)
        if finish == "length" and n_tokens < self.sampling.max_tokens:
            finish = "overlong"
        return Proposal(self.tokenizer.decode(completion.tokens), finish, completion.logprob, n_tokens)


class PPMScorer:
    """`Scorer` by the process preference model.

    squash: "tanh" as the paper writes it, "tanh5" is tanh(v / 5) as the released search computes it.
    overlong: the value of a path that the engine cannot hold; without one such a path raises `OverlongError`.
    """

    def __init__(
        self,
        engine: ScoringEngine,
        tokenizer: Tokenizer,
        squash: Squash,
        overlong: float | None = None,
        frame: PromptFrame = PLAIN_FRAME,
    ):
        self.engine = engine
        self.scale = {"tanh": 1.0, "tanh5": 5.0}[squash]
        self.overlong = overlong
        self._encode = PathEncoder(tokenizer, frame)

    async def score(self, paths: Sequence[Path]) -> list[float]:
        """Values in [-1, 1], in the order of `paths`. Siblings are computed together behind their parent."""
        values: dict[int, float] = {}
        families: dict[Path, list[int]] = {}
        for index, path in enumerate(paths):
            families.setdefault(Path(path.problem, path.steps[:-1]), []).append(index)
        for members in families.values():
            values |= await self._family([paths[i] for i in members], members)
        return [values[index] for index in range(len(paths))]

    async def _family(self, siblings: Sequence[Path], names: Sequence[int]) -> dict[int, float]:
        encoded = {name: self._encode(path) for name, path in zip(names, siblings, strict=True)}
        longest = self.engine.scoring_config.lengths[-1]
        fitting = {name: tokens for name, tokens in encoded.items() if len(tokens) <= longest}
        if len(fitting) < len(encoded) and self.overlong is None:
            raise OverlongError(f"a path of {max(map(len, encoded.values()))} tokens; rows hold {longest}")
        trunk = _common(list(fitting.values()))
        branches = [tokens[trunk:] for tokens in fitting.values()]
        prompt = next(iter(fitting.values()), [])[:trunk]
        raw = await self.engine.score(prompt, branches)
        scored = {name: math.tanh(value / self.scale) for name, value in zip(fitting, raw, strict=True)}
        return scored if self.overlong is None else dict.fromkeys(encoded, self.overlong) | scored


def _common(sequences: Sequence[Sequence[int]]) -> int:
    """Length of the longest prefix that all share and that leaves each of them a token."""
    if not sequences:
        return 0
    columns = zip(*(sequence[:-1] for sequence in sequences), strict=False)
    return sum(1 for _ in itertools.takewhile(lambda column: len(set(column)) == 1, columns))
