"""The server with made-up models, in processes of its own, asked by the real client."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import socket
import time
from typing import Any

import httpx
import openai
import pytest

from rstar_jax.errors import EXIT_INTERRUPTED, EXIT_TERMINATED, InputError
from rstar_jax.serve.app import make_app
from rstar_jax.serve.limits import Limits
from rstar_jax.serve.process import bind
from rstar_jax.serve.service import Service
from rstar_jax.thinking.thought import Effort, as_problem

QUESTION = "What is 3?"


def ask(client: openai.OpenAI, content: str = QUESTION, model: str = "fake", **fields: Any):
    """`fields` that the client does not know go into the body."""
    names = ("stream", "stop", "max_tokens", "seed", "stream_options")
    known = {name: fields.pop(name) for name in names if name in fields}
    return client.chat.completions.create(
        model=model, messages=[{"role": "user", "content": content}], extra_body=fields, **known
    )


def alone(fake, question: str = QUESTION, **effort: Any) -> dict[str, Any]:
    """What the search itself finds, without a server."""
    system = fake.FakeSystem()
    thought = asyncio.run(system.think(system.begin(as_problem(question), Effort(**effort))))
    return json.loads(json.dumps(thought.to_json()))


@pytest.fixture(scope="module")
def server(start_fake):
    return start_fake()


@pytest.fixture
def client(server):
    with server.client() as client:
        yield client


def test_an_answer(fake, client):
    found = ask(client)
    expected = alone(fake)
    choice, usage = found.choices[0], found.usage
    assert choice.message.content == "".join(step["text"] for step in expected["steps"])
    assert f"\\boxed{{{expected['answer']}}}" in choice.message.content
    assert (choice.finish_reason, choice.message.role, found.model) == ("stop", "assistant", "fake")
    assert (usage.prompt_tokens, usage.completion_tokens) == (3, expected["tokens"])
    assert usage.total_tokens == 3 + expected["tokens"]
    assert usage.completion_tokens_details.reasoning_tokens == expected["tokens"] - expected["solution_tokens"]
    del expected["question"], expected["seconds"]
    assert _timeless(found.search) == expected | {"ignored_messages": 0}
    assert abs(found.created - time.time()) < 60


def test_effort_and_seed_are_the_requests(fake, client):
    fields = {"n_rollouts": 2, "n_trajectories": 3, "candidates": 4, "seed": 7, "select": "majority"}
    found = ask(client, **fields)
    expected = alone(fake, rollouts=2, trajectories=3, candidates=4, seed=7, select="majority")
    assert found.search["alternatives"] == expected["alternatives"]
    assert found.search["nodes"] == expected["nodes"]
    assert found.search["seed"] == 7


def test_earlier_messages_are_counted_but_not_read(fake, client):
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "What is 1?"},
        {"role": "assistant", "content": "1"},
        {"role": "user", "content": QUESTION},
    ]
    found = client.chat.completions.create(model="fake", messages=messages)
    assert found.search["answer"] == alone(fake)["answer"]
    assert found.search["ignored_messages"] == 3


def test_a_stream_says_the_same(client):
    whole = ask(client)
    chunks = list(ask(client, stream=True, stream_options={"include_usage": True}))
    *pieces, last, usage = chunks
    deltas = [piece.choices[0].delta for piece in pieces]
    assert deltas[0].role == "assistant"
    thoughts = [delta.reasoning_content for delta in deltas if hasattr(delta, "reasoning_content")]
    assert thoughts
    assert thoughts[-1].startswith("rollout ")
    texts = [delta.content for delta in deltas if delta.content]
    assert texts == [step["text"] for step in whole.search["steps"]]
    assert last.choices[0].finish_reason == "stop"
    assert _timeless(last.search) == _timeless(whole.search)
    assert usage.usage == whole.usage
    assert usage.choices == []
    assert len({chunk.id for chunk in chunks}) == 1
    assert ask(client).id != whole.id


def _timeless(search: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in search.items() if name != "seconds"}


def test_stops_cut_the_text(client):
    whole = ask(client).choices[0].message.content
    stop = "<answer>"
    assert stop in whole
    found = ask(client, stop=["never", stop]).choices[0]
    assert (found.message.content, found.finish_reason) == (whole[: whole.index(stop)], "stop")
    pieces = list(ask(client, stop=stop, stream=True))
    text = "".join(piece.choices[0].delta.content or "" for piece in pieces)
    assert (text, pieces[-1].choices[0].finish_reason) == (whole[: whole.index(stop)], "stop")


def test_models(client):
    assert [model.id for model in client.models.list()] == ["fake"]
    assert client.models.retrieve("fake").owned_by == "rstar_jax"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("gpt")


@pytest.mark.parametrize("stream", [False, True])
def test_errors_are_the_protocols(client, stream):
    with pytest.raises(openai.NotFoundError, match="the model 'gpt' does not exist; this server has 'fake'") as unknown:
        ask(client, model="gpt", stream=stream)
    assert unknown.value.code == "model_not_found"
    with pytest.raises(openai.BadRequestError, match="the question has 41 tokens") as too_long:
        ask(client, "long " * 41, stream=stream)
    assert (too_long.value.code, too_long.value.param) == ("context_length_exceeded", "messages")
    with pytest.raises(openai.BadRequestError, match="unrecognized field: n_rollout"):
        ask(client, n_rollout=3, stream=stream)


def test_failures_in_the_server_say_nothing_about_it(client, server):
    with pytest.raises(openai.InternalServerError, match="something went wrong in the server") as caught:
        ask(client, "explode")
    assert "burns" not in str(caught.value)
    with pytest.raises(openai.APIError, match="something went wrong in the server"):
        list(ask(client, "explode", stream=True))
    server.wait_for("OSError: the device burns")
    assert ask(client).choices


def test_other_requests(server):
    with httpx.Client(base_url=server.address) as http:
        wrong_path, wrong_method = http.get("/completions"), http.get("/chat/completions")
        no_json = http.post("/chat/completions", content="{}", headers={"content-type": "text/plain"})
        health = http.get(server.address.removesuffix("/v1") + "/health")
    for response, status in ((wrong_path, 404), (wrong_method, 405), (no_json, 415)):
        assert response.status_code == status
        assert response.json()["error"]["type"] == "invalid_request_error"
    assert (health.status_code, health.json()) == (200, {"status": "ok", "running": 0, "waiting": 0})


def test_long_bodies_are_refused_without_being_read(start_fake):
    server = start_fake(body_kb=10)
    endless = (b"x" * 1000 for _ in range(10_000))
    with httpx.Client() as http:
        headers = {"content-type": "application/json"}
        with contextlib.suppress(httpx.WriteError, httpx.ReadError):  # the server hangs up in the middle
            response = http.post(f"{server.address}/chat/completions", content=endless, headers=headers)
            assert response.status_code == 413
        with pytest.raises(openai.APIStatusError, match="longer than 10 KB"):
            ask(server.client(), "x" * 11_000)


def test_many_at_once_are_answered_as_one_by_one(fake, start_fake):
    server, questions = start_fake(0.002, running=8), [f"What is {number}?" for number in range(64)]

    async def together():
        async with server.asynchronous() as client:
            return await asyncio.gather(*(ask(client, question, n_trajectories=2) for question in questions))

    found = asyncio.run(together())
    for question, one in zip(questions, found, strict=True):
        expected = alone(fake, question, trajectories=2)
        assert one.choices[0].message.content == "".join(step["text"] for step in expected["steps"])
        assert one.search["alternatives"] == expected["alternatives"]


def test_time_is_up(start_fake):
    found = ask(start_fake(seconds=1).client(), "sleep well")
    assert (found.choices[0].finish_reason, found.search["ending"]) == ("length", "time")
    assert found.search["answer"] in found.choices[0].message.content


@pytest.mark.parametrize("stream", [False, True])
def test_who_leaves_stops_the_search(start_fake, stream):
    server = start_fake()

    async def leave():
        async with server.asynchronous() as client:
            asking = asyncio.create_task(_read(client, stream))
            await _until(server, running=1, waiting=0)
            asking.cancel()

    asyncio.run(leave())
    server.wait_for("given up")
    asyncio.run(_until(server, running=0, waiting=0))


async def _until(server, running: int, waiting: int) -> None:
    """Wait until so many requests run and wait."""
    expected = {"status": "ok", "running": running, "waiting": waiting}
    async with httpx.AsyncClient() as http, asyncio.timeout(30):
        while (await http.get(server.address.removesuffix("/v1") + "/health")).json() != expected:
            await asyncio.sleep(0.05)


async def _read(client: openai.AsyncOpenAI, stream: bool) -> None:
    found = await ask(client, "sleep well", stream=stream)
    if stream:
        async for _ in found:
            pass


def test_too_many_requests(start_fake):
    server = start_fake(running=1, waiting=1)

    async def crowd():
        async with server.asynchronous() as client:
            sleeping = [asyncio.create_task(_read(client, stream)) for stream in (True, False)]
            await _until(server, running=1, waiting=1)
            for stream in (False, True):
                with pytest.raises(openai.RateLimitError, match="too many requests are under way") as caught:
                    await ask(client, stream=stream)
                assert caught.value.response.headers["retry-after"] == "5"
            for task in sleeping:
                task.cancel()
        await _until(server, running=0, waiting=0)

    asyncio.run(crowd())
    assert ask(server.client()).choices


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, EXIT_TERMINATED), (signal.SIGINT, EXIT_INTERRUPTED)])
def test_the_end_leaves_nobody_without_an_answer(start_fake, number, code):
    server = start_fake(running=2)

    async def ask_and_end():
        async with server.asynchronous() as client:
            whole = asyncio.create_task(ask(client, "sleep well"))
            pieces = await ask(client, "sleep well", stream=True)
            await _until(server, running=2, waiting=0)
            waiting = asyncio.create_task(ask(client, "sleep well"))
            await _until(server, running=2, waiting=1)
            server.process.send_signal(number)
            ends = await asyncio.gather(whole, waiting, return_exceptions=True)
            return *ends, [piece async for piece in pieces]

    whole, waiting, pieces = asyncio.run(ask_and_end())
    assert (whole.search["ending"], whole.choices[0].finish_reason) == ("stopped", "length")
    assert whole.search["answer"]
    assert pieces[-1].choices[0].finish_reason == "length"
    assert isinstance(waiting, openai.InternalServerError)
    assert waiting.status_code == 503
    assert server.process.wait(20) == code
    with pytest.raises(openai.APIConnectionError):
        ask(server.client())


def test_a_port_in_use_is_a_sentence(server, process, fake):
    port = int(server.address.rsplit(":", 1)[1].removesuffix("/v1"))
    with pytest.raises(OSError, match="Address already in use"):
        bind("127.0.0.1", port)


@pytest.mark.parametrize(
    ("host", "port", "words"), [("nowhere.invalid", 0, "--host nowhere"), ("127.0.0.1", 70000, "65535")]
)
def test_impossible_addresses(host, port, words):
    with pytest.raises(InputError, match=words):
        bind(host, port)


def test_only_this_machine_is_listened_to(server):
    assert server.address.startswith("http://127.0.0.1:")
    port = int(server.address.rsplit(":", 1)[1].removesuffix("/v1"))
    others = {info[4][0] for info in socket.getaddrinfo(socket.gethostname(), port, socket.AF_INET)} - {"127.0.0.1"}
    for address in others:
        if not address.startswith("127."):
            with pytest.raises(OSError, match="refused"):
                socket.create_connection((address, port), 5)


def test_events_are_lines_of_json(server):
    body = {"model": "fake", "messages": [{"role": "user", "content": QUESTION}], "stream": True}
    with httpx.stream("POST", f"{server.address}/chat/completions", json=body) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        lines = [line for line in response.iter_lines() if line]
    assert lines[-1] == "data: [DONE]"
    assert all(json.loads(line.removeprefix("data: "))["object"] == "chat.completion.chunk" for line in lines[:-1])


def test_health_says_when_an_engine_has_failed(fake):
    async def look() -> list[httpx.Response]:
        system, closing = fake.FakeSystem(), asyncio.Event()
        app = make_app(Service(system, "fake", Effort(), Limits(), closing, print))
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as http:
            found = [await http.get("/health")]
            closing.set()
            found.append(await http.get("/health"))
            system.failed = True
            return [*found, await http.get("/health")]

    answers = [(response.status_code, response.json()["status"]) for response in asyncio.run(look())]
    assert answers == [(200, "ok"), (503, "closing"), (503, "failed")]
