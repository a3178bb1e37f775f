"""The engine behind `Proposer` for a model without rStar training: its own prompt, its own end tokens."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from etils import epath

from rstar_jax.errors import InputError
from rstar_jax.files import AnyPath, read_json
from rstar_jax.inference.adapters import EngineProposer
from rstar_jax.inference.config import Sampling
from rstar_jax.inference.engine import PolicyEngine
from rstar_jax.search.protocols import Path
from rstar_jax.trajectory.plain_prompts import Prompt
from rstar_jax.trajectory.tokenizer import Tokenizer


class PlainProposer(EngineProposer):
    """`Proposer` of stretches of text, each up to one of the engine's stop tokens or of `sampling.stop`.

    The text ends with the stop text if there was one; a stop token leaves no text.

    opened: whether the model's tokenizer puts its opening token (beginning of sequence), if it has one, before the
        prompt. A chat template writes it by itself.
    """

    def __init__(
        self,
        engine: PolicyEngine,
        tokenizer: Tokenizer,
        sampling: Sampling,
        max_context: int,
        prompt: Prompt,
        end_ids: Sequence[int],
        opened: bool,
    ):
        self.prompt = prompt
        opening = tokenizer.backend.encode("", add_special_tokens=True).ids if opened else []

        def encode(path: Path) -> list[int]:
            return [*opening, *tokenizer.encode(prompt(path.problem.question) + path.text)]

        super().__init__(engine, tokenizer, sampling, max_context, encode, end_ids)


def end_tokens(folder: AnyPath, tokenizer: Tokenizer) -> tuple[int, ...]:
    """The tokens by which a model ends its text: `eos_token_id` of `generation_config.json`, else of `config.json`,
    else the tokenizer's `eos_token` (our own folders name no id).

    Raises:
      InputError: none of these files names one, or it is not in the vocabulary.
    """
    for name in ("generation_config.json", "config.json"):
        found = _read(folder, name).get("eos_token_id")
        if found is not None:
            return tuple(found) if isinstance(found, list) else (found,)
    token = _read(folder, "tokenizer_config.json").get("eos_token")
    token = token["content"] if isinstance(token, dict) else token
    if token is None:
        raise InputError(f"{folder} names no end token (eos_token_id in generation_config.json or config.json)")
    try:
        return (tokenizer.token_id(token),)
    except KeyError:
        raise InputError(f"{folder}: the end token {token!r} is not in the vocabulary") from None


def _read(folder: AnyPath, name: str) -> dict[str, Any]:
    path = epath.Path(folder) / name
    return read_json(path) if path.exists() else {}
