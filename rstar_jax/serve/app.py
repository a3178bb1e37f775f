"""The HTTP around the service: routes, size of a body, errors as the protocol has them, clients that leave."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Coroutine, Mapping
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Send

from rstar_jax.serve.protocol import ApiError, internal_error, read_request
from rstar_jax.serve.service import Service

CLIENT_GONE = 499  # nginx's number; nobody reads it


class Events(StreamingResponse):
    """A stream whose source is closed at once when the client leaves."""

    def __init__(self, events: AsyncIterator[str]) -> None:
        super().__init__(events, media_type="text/event-stream", headers={"cache-control": "no-cache"})

    async def stream_response(self, send: Send) -> None:
        async with contextlib.aclosing(self.body_iterator):  # type: ignore[type-var]
            await super().stream_response(send)


def make_app(service: Service) -> Starlette:
    """GET /health, GET /v1/models[/NAME], POST /v1/chat/completions."""

    async def chat(request: Request) -> Response:
        wanted = read_request(await _json_body(request, service.limits.body_kb))
        if wanted.stream:
            events = service.stream(wanted)
            first = await anext(events)  # what is wrong with the request is known now
            return Events(_chained(first, events))
        reply = await _while_connected(request, service.complete(wanted))
        return Response(status_code=CLIENT_GONE) if reply is None else _json(reply)

    async def models(request: Request) -> Response:
        return _json({"object": "list", "data": [_model(service)]})

    async def model(request: Request) -> Response:
        name = request.path_params["name"]
        if name != service.name:
            raise ApiError(f"the model {name!r} does not exist", status=404, param="model", code="model_not_found")
        return _json(_model(service))

    async def health(request: Request) -> Response:
        gate = service.gate
        state = "failed" if service.system.failed else "closing" if service.closing.is_set() else "ok"
        found = {"status": state, "running": gate.running, "waiting": gate.waiting}
        return _json(found, 200 if state == "ok" else 503)

    return Starlette(
        routes=[
            Route("/health", health),
            Route("/v1/models", models),
            Route("/v1/models/{name:path}", model),
            Route("/v1/chat/completions", chat, methods=["POST"]),
        ],
        exception_handlers={
            ApiError: _api_error,
            HTTPException: _http_error,
            ClientDisconnect: _gone,
            Exception: _internal_error,
        },
    )


def _model(service: Service) -> dict[str, Any]:
    return {"id": service.name, "object": "model", "created": service.began, "owned_by": "rstar_jax"}


def _json(body: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Starlette's own would not write half a surrogate pair, and who knows what programs print."""
    return Response(json.dumps(body), status, headers, "application/json")


async def _json_body(request: Request, most_kb: int) -> bytes:
    """Raises ApiError: it is too long, or does not say that it is JSON, as foreign web pages cannot without asking."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise ApiError("the content type has to be application/json", status=415)
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > most_kb << 10:
            raise ApiError(f"the request is longer than {most_kb} KB", status=413, code="request_too_large")
    return body


async def _chained(first: str, rest: AsyncIterator[str]) -> AsyncIterator[str]:
    async with contextlib.aclosing(rest):  # type: ignore[type-var]
        yield first
        async for piece in rest:
            yield piece


async def _while_connected(request: Request, work: Coroutine[Any, Any, dict[str, Any]]) -> dict[str, Any] | None:
    """The result of `work`, which is given up when the client leaves: then None."""
    working, leaving = asyncio.create_task(work), asyncio.create_task(_left(request))
    try:
        await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
        return working.result() if working.done() else None
    finally:
        for task in (working, leaving):
            task.cancel()
        await asyncio.wait({working, leaving})


async def _left(request: Request) -> None:
    """Ends when the client has hung up; its body has been read."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def _api_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, ApiError)
    headers = {} if error.retry_after is None else {"retry-after": str(error.retry_after)}
    return _json(error.body, error.status, headers)


async def _http_error(request: Request, error: Exception) -> Response:
    """A path or a method that there is not."""
    assert isinstance(error, HTTPException)
    message = f"{request.method} {request.url.path}: {error.detail}"
    return _json(ApiError(message).body, error.status_code, error.headers)


async def _gone(request: Request, error: Exception) -> Response:
    return Response(status_code=CLIENT_GONE)


async def _internal_error(request: Request, error: Exception) -> Response:
    """A bug around the service; its traceback stands in the log."""
    return await _api_error(request, internal_error())
