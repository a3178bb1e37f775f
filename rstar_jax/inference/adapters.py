"""The engines behind the protocols of search: paths in; proposals and values out."""

from __future__ import annotations

import asyncio
import copy
import dataclasses
import functools
import itertools
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal, Self

from rstar_jax.inference.config import Completion, OverlongError, Sampling
from rstar_jax.inference.engine import PolicyEngine, PPMEngine
from rstar_jax.search.protocols import Path, Proposal
from rstar_jax.trajectory.prompts import PLAIN_FRAME, PromptFrame
from rstar_jax.trajectory.tags import ALL_TAGS, ASSISTANT, CODE, END_OF_CODE, END_OF_STEP, USER
from rstar_jax.trajectory.tokenizer import Tokenizer

Squash = Literal["tanh", "tanh5"]
_PROBE = f"{USER}:\nx\n{ASSISTANT}: y{CODE}\n# z\nx = 1\n{END_OF_STEP}\n\n# w {END_OF_STEP}x y{END_OF_CODE} z"
_PIECE = re.compile(f".*?(?:{'|'.join(map(re.escape, ALL_TAGS))})|.+", re.DOTALL)


def squash_of(settings: Mapping[str, Any]) -> Squash:
    """How search reads the scores of a model, from the settings in its `config.json`: tanh where its training had one.

    Models of the authors' code say nothing about it; theirs are raw.
    """
    read_as: dict[str, Squash] = {"tanh": "tanh", "raw": "tanh5"}
    return read_as[settings.get("squash", "raw")]


class PathEncoder:
    """Token ids of prompt and path.

    Tokenizers cut at tags first, so pieces between them are encoded once. Some mark the beginning of a text, which a
    piece is not (Metaspace that is put first only): with those, texts are encoded whole.
    """

    def __init__(self, tokenizer: Tokenizer, frame: PromptFrame, remembered: int = 1 << 16):
        self._frame = frame
        self._encode = tokenizer.encode
        self._piece = functools.lru_cache(remembered)(tokenizer.encode)
        self._by_pieces = self._joined(_PROBE) == tokenizer.encode(_PROBE)

    def __call__(self, path: Path) -> list[int]:
        text = self._frame(path.problem.question, path.text)
        return self._joined(text) if self._by_pieces else self._encode(text)

    def _joined(self, text: str) -> list[int]:
        return list(itertools.chain.from_iterable(map(self._piece, _PIECE.findall(text))))


class EngineProposer:
    """`Proposer` by a language model.

    max_context: tokens of prompt and completion together; what would exceed it ends as "overlong". encode: a path as
    the model reads it. end_ids: stop tokens that leave no text.
    """

    def __init__(
        self,
        engine: PolicyEngine,
        tokenizer: Tokenizer,
        sampling: Sampling,
        max_context: int,
        encode: Callable[[Path], list[int]],
        end_ids: Iterable[int] = (),
    ):
        if max_context > engine.engine_config.max_length:
            limit = engine.engine_config.max_length
            raise ValueError(f"max_context={max_context} exceeds the engine's {limit}")
        self.engine = engine
        self.tokenizer = tokenizer
        self.sampling = sampling
        self.max_context = max_context
        self._encode, self._end_ids = encode, frozenset(end_ids)

    def length(self, path: Path) -> int:
        """Tokens of prompt and path, as the model reads them."""
        return len(self._encode(path))

    def limited(self, max_context: int) -> Self:
        """The same proposer, for contexts of `max_context` tokens if that is fewer."""
        other = copy.copy(self)
        other.max_context = min(max_context, self.max_context)
        return other

    async def propose(self, path: Path, n: int, key: int) -> list[Proposal]:
        """`n` continuations of the path; no text and "overlong" when the path fills the context."""
        prompt = self._encode(path)
        room = self.max_context - len(prompt)
        if room < 1:
            return [Proposal("", "overlong")] * n
        sampling = dataclasses.replace(self.sampling, max_tokens=min(self.sampling.max_tokens, room))
        completions = await self.engine.generate(prompt, n, sampling, key)
        return [self._proposal(completion) for completion in completions]

    def _proposal(self, completion: Completion) -> Proposal:
        finish, tokens = completion.finish, completion.tokens
        if finish == "length" and len(tokens) < self.sampling.max_tokens:
            finish = "overlong"
        written = tokens[:-1] if tokens and tokens[-1] in self._end_ids else tokens
        text = _up_to_stop(self.tokenizer.decode(written), self.sampling.stop)
        return Proposal(text, finish, completion.logprob, len(tokens))


class PolicyProposer(EngineProposer):
    """`Proposer` of steps by the policy."""

    def __init__(
        self,
        engine: PolicyEngine,
        tokenizer: Tokenizer,
        sampling: Sampling,
        max_context: int,
        frame: PromptFrame = PLAIN_FRAME,
    ):
        super().__init__(engine, tokenizer, sampling, max_context, PathEncoder(tokenizer, frame))


class PPMScorer:
    """`Scorer` by the process preference model, or another model with a scalar head (`training.pqm`).

    squash: "tanh" as the paper writes it, "tanh5" is tanh(v / 5) as the released search computes it.
    overlong: the value of a path that the engine cannot hold; without one such a path raises `OverlongError`.
    """

    def __init__(
        self,
        engine: PPMEngine,
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
        families: dict[Path, list[int]] = {}
        for index, path in enumerate(paths):
            families.setdefault(Path(path.problem, path.steps[:-1]), []).append(index)
        found = [self._family(parent, [paths[i] for i in places]) for parent, places in families.items()]
        values: dict[int, float] = {}
        for places, scores in zip(families.values(), await asyncio.gather(*found), strict=True):
            values.update(zip(places, scores, strict=True))
        return [values[index] for index in range(len(paths))]

    async def _family(self, parent: Path, siblings: Sequence[Path]) -> list[float]:
        encoded = [self._encode(path) for path in siblings]
        longest = self.engine.engine_config.max_length
        fitting = [tokens for tokens in encoded if len(tokens) <= longest]
        if len(fitting) < len(encoded) and self.overlong is None:
            raise OverlongError(f"a path of {max(map(len, encoded))} tokens; the context holds {longest}")
        # Behind the parent, which is known as a rule, all siblings can go into one dispatch.
        trunk = min(_common(fitting), len(self._encode(parent))) if len(fitting) > 1 else 0
        prompt = fitting[0][:trunk] if fitting else []
        raw = iter(await self.engine.score(prompt, [tokens[trunk:] for tokens in fitting]))
        overlong = math.nan if self.overlong is None else self.overlong
        return [math.tanh(next(raw) / self.scale) if len(tokens) <= longest else overlong for tokens in encoded]


def _up_to_stop(text: str, stops: Sequence[str]) -> str:
    """Up to the end of the stop text that is complete first; the last token may go on behind it."""
    ends = [text.index(stop) + len(stop) for stop in stops if stop in text]
    return text[: min(ends)] if ends else text


def _common(sequences: Sequence[list[int]]) -> int:
    """Length of the longest prefix that all share and that leaves each of them a token."""
    first, last = min(sequences), max(sequences)  # in sorted order, all others agree where these two do
    shorter = min(map(len, sequences)) - 1
    pairs = zip(first[:shorter], last[:shorter], strict=True)
    return next((place for place, (one, other) in enumerate(pairs) if one != other), shorter)
