"""One question, one reply, from any OpenAI-compatible server."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from rstar_jax.evolution.bootstrap.answers import read_choices
from rstar_jax.evolution.bootstrap.openai_server import OpenAIConfig
from rstar_jax.evolution.bootstrap.server import Server, read_key


class Chat:
    """Asks `/chat/completions`. For one event loop; the server's limits hold for all questions together."""

    def __init__(self, config: OpenAIConfig, *, environ: Mapping[str, str] = os.environ) -> None:
        self._config = config
        self._server = Server(config.base_url, read_key(config.api_key_variable, environ), config.limits)

    async def __aenter__(self) -> Chat:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._server.close()

    async def ask(self, prompt: str, temperature: float, seed: int) -> str:
        """The reply's text. Raises InputError if the server cannot be used, or not in time."""
        config = self._config
        body: dict[str, Any] = {
            "model": config.model,
            "messages": [{"role": "user", "content": prompt}],
            "max_tokens": config.max_tokens,
            "temperature": temperature,
            "top_p": config.top_p,
            **config.extra,
        }
        if config.send_seed:
            body["seed"] = seed
        return (await self._server.post("chat/completions", body, read_choices))[0].text
