"""What an OpenAI-compatible server answers: generations and model names, in the formats of both endpoints."""

from __future__ import annotations

import dataclasses
from typing import Any

from rstar_jax.evolution.bootstrap.server import Unusable


@dataclasses.dataclass(frozen=True)
class Choice:
    """One generation. `named_stop` is what the server says it stopped at, None if it does not say."""

    text: str
    finish_reason: str | None = None
    named_stop: object = None
    logprob: float = 0.0
    n_tokens: int = 0


def read_choices(answer: Any) -> list[Choice]:
    """The generations in an answer, in order. Raises Unusable if there are none."""
    try:
        rows = sorted(answer["choices"], key=lambda row: row.get("index", 0))
        texts = [_text(row) for row in rows]
        total = (answer.get("usage") or {}).get("completion_tokens") or 0
        pairs = zip(rows, texts, strict=True)
        choices = [_choice(row, text, _share(total, text, texts)) for row, text in pairs]
    except (AttributeError, KeyError, TypeError, IndexError) as error:
        raise Unusable(f"no generation in it ({error})") from None
    if not choices:
        raise Unusable("no generation in it")
    return choices


def read_model_names(answer: Any) -> list[str]:
    """The names in a list of models. Raises Unusable if it is none."""
    try:
        return [str(model["id"]) for model in answer["data"]]
    except (KeyError, TypeError) as error:
        raise Unusable(f"no list of models ({error})") from None


def _choice(row: dict[str, Any], text: str, n_tokens: int) -> Choice:
    logprobs = _token_logprobs(row.get("logprobs"))
    named = row.get("stop_reason") or row.get("matched_stop")
    return Choice(text, row.get("finish_reason"), named, sum(logprobs), len(logprobs) or n_tokens)


def _text(row: dict[str, Any]) -> str:
    text = row["text"] if "text" in row else row["message"]["content"] or ""
    if not isinstance(text, str):
        raise TypeError("the text is none")
    return text


def _token_logprobs(given: Any) -> list[float]:
    """Log-probabilities of the generated tokens, in either endpoint's format, if given."""
    if not given:
        return []
    if "content" in given:
        return [float(token["logprob"]) for token in given["content"] or []]
    return [float(value) for value in given.get("token_logprobs") or [] if value is not None]


def _share(total: int, text: str, texts: list[str]) -> int:
    """A choice's part of the tokens, which servers only count in sum: exact for one choice, else a guess."""
    length = sum(map(len, texts))
    return round(total * len(text) / length) if length else total // len(texts)
