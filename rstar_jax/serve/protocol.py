"""Requests of OpenAI's chat completions: which fields mean what here, and the errors that the protocol has.

A field is used, known to ask for nothing that search could give, or refused by name; so is a field that nobody knows,
since a misspelt `n_rollouts` would be no error otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

import pydantic
from pydantic_core import from_json

from rstar_jax.serve.limits import Limits
from rstar_jax.thinking.outcome import Select
from rstar_jax.thinking.thought import Effort

# Search draws at the server's temperature: a single path at temperature 0 would be none. It is repeatable all the same.
WITHOUT_EFFECT = ("temperature", "top_p", "user", "metadata", "store", "service_tier", "parallel_tool_calls")
WITHOUT_EFFECT += ("safety_identifier", "prompt_cache_key")
# What cannot be given, the values that do not ask for it, and what a client can do instead.
REFUSED: dict[str, tuple[tuple[Any, ...], str]] = {
    "n": ((None, 1), "a request has one choice; other answers are in `search.alternatives`"),
    "logprobs": ((None, False), "a solution is chosen by its PPM score, which is in `search`"),
    "top_logprobs": ((None, 0), "a solution is chosen by its PPM score, which is in `search`"),
    "logit_bias": ((None, {}), "search has no use for it"),
    "presence_penalty": ((None, 0), "search has no use for it"),
    "frequency_penalty": ((None, 0), "search has no use for it"),
    "tools": ((None, []), "the model runs Python of its own and calls nothing else"),
    "tool_choice": ((None, "none", "auto"), "the model runs Python of its own and calls nothing else"),
    "functions": ((None, []), "the model runs Python of its own and calls nothing else"),
    "function_call": ((None, "none", "auto"), "the model runs Python of its own and calls nothing else"),
    "response_format": ((None, {"type": "text"}), "solutions have the form that the policy has learned"),
    "modalities": ((None, ["text"]), "only text is read and written"),
    "audio": ((None,), "only text is read and written"),
    "prediction": ((None,), "search has no use for it"),
}


Count = Annotated[int, pydantic.Field(ge=1, le=1 << 31)]
Seed = Annotated[int, pydantic.Field(ge=-(1 << 63), lt=1 << 63)]


class ApiError(Exception):
    """What a client did wrong or cannot have, as the protocol says it."""

    def __init__(
        self,
        message: str,
        *,
        status: int = 400,
        kind: str = "invalid_request_error",
        param: str | None = None,
        code: str | None = None,
        retry_after: int | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.retry_after = status, retry_after
        self.body = {"error": {"message": message, "type": kind, "param": param, "code": code}}


def internal_error() -> ApiError:
    """Of what is not the client's fault, nor its business."""
    return ApiError("something went wrong in the server", status=500, kind="server_error")


class Message(pydantic.BaseModel):
    """A turn of the conversation. Further fields, such as a name, are for others."""

    model_config = pydantic.ConfigDict(strict=True, extra="ignore")

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: str | list[dict[str, Any]] | None = None


class StreamOptions(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(strict=True, extra="ignore")

    include_usage: bool | None = None


class ChatRequest(pydantic.BaseModel):
    """The fields that are used; `Effort` says what those of search mean.

    max_tokens, max_completion_tokens: of a solution, the outputs of its code included; what search spends is limited by
    n_rollouts, n_trajectories and candidates. stop: texts before which the answer is cut.
    """

    model_config = pydantic.ConfigDict(strict=True, extra="forbid")

    model: str
    messages: list[Message] = pydantic.Field(min_length=1)
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    max_tokens: Count | None = None
    max_completion_tokens: Count | None = None
    stop: str | list[str] | None = None
    seed: Seed | None = None
    n_rollouts: Count | None = None
    n_trajectories: Count | None = None
    candidates: Count | None = None
    select: Select | None = None

    @property
    def stops(self) -> list[str]:
        return [self.stop] if isinstance(self.stop, str) else [stop for stop in self.stop or () if stop]

    @property
    def with_usage(self) -> bool:
        return self.stream_options is not None and bool(self.stream_options.include_usage)


def read_request(body: bytes) -> ChatRequest:
    """Raises ApiError: no JSON, a field that is missing, wrong, unknown or refused."""
    try:
        fields = from_json(body, allow_inf_nan=False)
    except ValueError as error:
        raise ApiError(f"the request is not valid JSON: {error}") from None
    if not isinstance(fields, dict):
        raise ApiError("the request is not a JSON object")
    for name, (harmless, reason) in REFUSED.items():
        if fields.pop(name, None) not in harmless:
            raise ApiError(f"{name} is not supported: {reason}", param=name, code="unsupported_parameter")
    used = {name: value for name, value in fields.items() if name not in WITHOUT_EFFECT}
    try:
        return ChatRequest.model_validate(used)
    except pydantic.ValidationError as error:
        raise _as_api_error(error) from None


def question_of(messages: Sequence[Message]) -> str:
    """The text of the last message, which has to be a user's.

    What comes before it, a system's message or earlier turns, is not read: the policy has been trained on single
    questions without any (appendix A.3).

    Raises ApiError: it is nobody's question, empty, or not all text.
    """
    last, place = messages[-1], f"messages.{len(messages) - 1}"
    if last.role != "user":
        raise ApiError(f"the last message is the {last.role}'s; the question has to be the user's", param=place)
    if isinstance(last.content, list):
        parts = last.content
    else:
        parts = [{"type": "text", "text": last.content}]
    texts = [part.get("text") for part in parts if part.get("type") == "text"]
    if len(texts) < len(parts):
        raise ApiError("only text is read", param=f"{place}.content", code="unsupported_content")
    text = "".join(text for text in texts if isinstance(text, str)).strip()
    if not text:
        raise ApiError("the question is empty", param=f"{place}.content")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ApiError("the question has half a surrogate pair in it", param=f"{place}.content") from None
    return text


def effort_of(request: ChatRequest, usual: Effort, limits: Limits) -> Effort:
    """What the request wants, and the server's own effort where it does not say.

    Raises ApiError: it wants more than a request may have.
    """
    highest = {
        "n_rollouts": limits.rollouts,
        "n_trajectories": limits.trajectories,
        "candidates": limits.candidates,
    }
    for name, most in highest.items():
        if (wanted := getattr(request, name)) is not None and wanted > most:
            raise ApiError(f"{name}={wanted}: a request may have {most} at most here", param=name)
    given = [limit for limit in (request.max_tokens, request.max_completion_tokens, usual.max_tokens) if limit]
    return Effort(
        rollouts=request.n_rollouts or usual.rollouts,
        trajectories=request.n_trajectories or usual.trajectories,
        candidates=request.candidates or usual.candidates,
        max_tokens=min(given, default=None),
        select=request.select or usual.select,
        seed=usual.seed if request.seed is None else request.seed,
    )


def _as_api_error(error: pydantic.ValidationError) -> ApiError:
    """The first thing that is wrong."""
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    parts = map(str, first["loc"])  # of a field that may be a text or a list they say too which of both is meant
    param = ".".join(part for part in parts if part != "str" and not part.startswith("list["))
    if first["type"] == "extra_forbidden":
        return ApiError(f"unrecognized field: {param}", param=param, code="unknown_parameter")
    return ApiError(f"{param}: {first['msg']}", param=param)
