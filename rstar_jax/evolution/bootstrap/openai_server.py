"""A proposer that asks any OpenAI-compatible server: vLLM, SGLang, or an API on the net.

The next step of a solution is a continuation of raw text, so `/completions` is the endpoint of choice;
`/chat/completions` is for servers without it, and asks in words for the continuation.
"""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import os
import random
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Literal

import httpx

from rstar_jax.errors import InputError
from rstar_jax.evolution.bootstrap import few_shot, stops
from rstar_jax.evolution.bootstrap.answers import Choice, read_choices, read_model_names
from rstar_jax.evolution.bootstrap.server import Limits, Refused, Server, read_key
from rstar_jax.search.protocols import Path, Proposal, sample_key

log = logging.getLogger(__name__)

Endpoint = Literal["completions", "chat"]
_PATHS: Mapping[str, str] = {"completions": "completions", "chat": "chat/completions"}
_BAD_REQUEST = (400, 413, 422)
_CONTEXT_FULL = re.compile(r"context[ _](length|window|size)|maximum context|too long|max_model_len", re.I)
_SHRINK = (1, 4, 16)  # what max_tokens is divided by when a context is nearly full
_EXAMPLE = "http://localhost:8000/v1"


@dataclasses.dataclass(frozen=True)
class OpenAIConfig:
    """A server and how to sample from it.

    base_url: up to and including "/v1".
    api_key_variable: the environment variable with the API key, if one is needed; the key is nowhere else.
    temperature: 0.7 is the released code's for the bootstrap model.
    max_tokens: of one step.
    shots: demonstrations in the prompt.
    n_at_once: draw all candidates of a step with one request. A server that refuses or ignores `n` is asked
        once per candidate.
    send_seed: off for servers that refuse a seed.
    ask_logprobs: proposals carry log-probabilities only if the server gives them.
    extra: further fields of the request, such as {"top_k": 20}.
    """

    base_url: str
    model: str
    endpoint: Endpoint = "completions"
    api_key_variable: str = ""
    temperature: float = 0.7
    top_p: float = 1.0
    max_tokens: int = 2048
    shots: int = 2
    n_at_once: bool = True
    send_seed: bool = True
    ask_logprobs: bool = False
    extra: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    limits: Limits = dataclasses.field(default_factory=Limits)

    def __post_init__(self) -> None:
        _check_address(self.base_url)
        if self.endpoint not in _PATHS:
            raise InputError(f"endpoint should be one of {', '.join(_PATHS)}, not {self.endpoint!r}")
        if not 0 <= self.shots <= len(few_shot.DEMONSTRATIONS):
            raise InputError(f"shots should be 0 to {len(few_shot.DEMONSTRATIONS)}, not {self.shots}")


class OpenAIProposer:
    """A `Proposer`, for one event loop. Equal keys give equal proposals if the server honours seeds."""

    def __init__(
        self,
        config: OpenAIConfig,
        *,
        environ: Mapping[str, str] = os.environ,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self.config = config
        self._key = read_key(config.api_key_variable, environ)
        time_and_chance: dict[str, Any] = {"clock": clock, "sleep": sleep, "jitter": jitter}
        self._server = Server(config.base_url, self._key, config.limits, **time_and_chance)
        self._n_at_once = config.n_at_once

    async def __aenter__(self) -> OpenAIProposer:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._server.close()

    async def check(self) -> None:
        """Ask for one token, without retries.

        Raises InputError with what is wrong: the address, the key, the model or the endpoint.
        """
        body = {"model": self.config.model, "max_tokens": 1, **self._question("1 + 1 =")}
        try:
            await self._server.post(_PATHS[self.config.endpoint], body, read_choices, patient=False)
        except Refused as error:
            raise await self._explained(error) from None

    async def propose(self, path: Path, n: int, key: int) -> list[Proposal]:
        """Draw n candidate next steps. Raises InputError if the server cannot be used, or not in time."""
        try:
            first = await self._propose_at_once(path, n, key) if n > 1 and self._n_at_once else []
            rest = (self._ask(path, 1, candidate_seed(key, i)) for i in range(len(first), n))
            return first + [proposals[0] for proposals in await asyncio.gather(*rest)]
        except Refused as error:
            raise await self._explained(error) from None

    async def _propose_at_once(self, path: Path, n: int, key: int) -> list[Proposal]:
        """Up to n candidates from one request; none if the server refuses more than one."""
        try:
            proposals = await self._ask(path, n, candidate_seed(key, 0))
        except Refused as error:
            if error.status not in _BAD_REQUEST:
                raise
            proposals = []  # if n was not the reason, single requests will meet the same refusal
        if len(proposals) < n:
            log.info("the server draws one candidate a request, so it is asked once per candidate")
            self._n_at_once = False
        return proposals[:n]

    async def _ask(self, path: Path, n: int, seed: int) -> list[Proposal]:
        """What one request brings. A context that is nearly full gets less room, a full one is "overlong"."""
        for divisor in _SHRINK:
            body = self._body(path, n, seed, max(1, self.config.max_tokens // divisor))
            try:
                choices = await self._server.post(_PATHS[self.config.endpoint], body, read_choices)
            except Refused as error:
                if error.status not in _BAD_REQUEST or not _CONTEXT_FULL.search(error.words):
                    raise
            else:
                return [self._proposal(path, choice, shrunk=divisor > 1) for choice in choices]
        return [Proposal("", "overlong")] * n

    def _body(self, path: Path, n: int, seed: int, max_tokens: int) -> dict[str, Any]:
        config = self.config
        prompt = few_shot.chat_prompt if config.endpoint == "chat" else few_shot.completion_prompt
        body = {
            "model": config.model,
            "max_tokens": max_tokens,
            "temperature": config.temperature,
            "top_p": config.top_p,
            "stop": list(stops.STOPS),
            **self._question(prompt(path.problem, path.text, config.shots)),
            **config.extra,
        }
        if n > 1:
            body["n"] = n
        if config.send_seed:
            body["seed"] = seed
        if config.ask_logprobs:
            body["logprobs"] = True if config.endpoint == "chat" else 1
        return body

    def _question(self, prompt: str) -> dict[str, Any]:
        if self.config.endpoint == "chat":
            return {"messages": [{"role": "user", "content": prompt}]}
        return {"prompt": prompt}

    def _proposal(self, path: Path, choice: Choice, shrunk: bool) -> Proposal:
        chat = self.config.endpoint == "chat"
        text = _continuation(path.text, choice.text) if chat else choice.text
        text, finish = stops.close(path.text, text, choice.finish_reason, choice.named_stop)
        if finish == "length" and shrunk:
            finish = "overlong"
        return Proposal(text, finish, choice.logprob, choice.n_tokens)

    async def _explained(self, error: Refused) -> InputError:
        """A refusal as a sentence that says what to change."""
        config, here = self.config, f"the server at {self._server.address}"
        if error.status in (401, 403):
            if self._key:
                return InputError(f"{here} does not accept the API key in {config.api_key_variable}")
            return InputError(f"{here} asks for an API key; name its variable in api_key_variable")
        if error.status in (400, 404):
            models = await self._models()
            if models and config.model not in models:
                return InputError(f"{here} has no model {config.model!r}; it has {', '.join(models)}")
        if error.status in (301, 302, 307, 308, 404, 405):
            other = "chat" if config.endpoint == "completions" else "completions"
            return InputError(
                f"{here} has no endpoint /{_PATHS[config.endpoint]} (status {error.status}); "
                f'base_url usually ends in /v1, and endpoint "{other}" is the other choice'
            )
        return error

    async def _models(self) -> list[str]:
        """The server's models; none if it does not tell."""
        try:
            return await self._server.get("models", read_model_names, patient=False)
        except InputError as error:
            log.info("no list of models: %s", error)
            return []


def candidate_seed(key: int, candidate: int) -> int:
    """f(key, candidate): 31 bits, which every server takes."""
    return sample_key(key, candidate) >> 32


def _check_address(address: str) -> None:
    try:
        url = httpx.URL(address)
    except httpx.InvalidURL:
        raise InputError(f"base_url is no address; it should look like {_EXAMPLE}") from None
    if url.userinfo or url.query:  # not quoted here, since it may be a key
        raise InputError("base_url holds a user name or a query; give the key by api_key_variable")
    if url.scheme not in ("http", "https") or not url.host:
        raise InputError(f"base_url should look like {_EXAMPLE}, not {address!r}")


def _continuation(history: str, text: str) -> str:
    """A chat model's reply as a continuation: without a repeated beginning, and on a line of its own."""
    if history and text.lstrip().startswith(history.strip()):
        text = text.lstrip().removeprefix(history.strip())
    return f"\n{text}" if history and not text.startswith("\n") else text
