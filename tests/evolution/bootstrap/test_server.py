"""Retries, limits and the secret key, against a real server that misbehaves."""

from __future__ import annotations

import asyncio
import copy
import logging
import pickle
import socket
import time
import traceback
from collections.abc import Callable
from typing import Any

import pytest

from rstar_jax.errors import InputError
from rstar_jax.evolution.bootstrap.server import Key, Limits, Refused, Server, Unusable, read_key

SECRET = "sk-very-secret-0123456789"


def read(answer: Any) -> Any:
    if "ok" not in answer:
        raise Unusable("not ok")
    return answer["ok"]


def ask(server: Server, times: int = 1, patient: bool = True) -> list[Any]:
    async def all_of_them() -> list[Any]:
        try:
            requests = (server.post("completions", {"n": i}, read, patient=patient) for i in range(times))
            return await asyncio.gather(*requests)
        finally:
            await server.close()

    return asyncio.run(all_of_them())


@pytest.fixture
def make(scripted: Any, fake_time: Any) -> Callable[..., Server]:
    def server(key: Key | None = None, **limits: Any) -> Server:
        return Server(scripted.address, key or Key(), Limits(**limits), **fake_time.arguments())

    return server


def test_what_may_pass_is_tried_again(make: Any, scripted: Any, fake_time: Any, answer: Any) -> None:
    scripted.script = [
        answer(429),
        answer(500, body=b"\xff\x00 not text"),
        answer(drop=True),
        answer(body=b"<html>"),
        answer(body={"no": "choices"}),
        answer(503),
        answer(body=b"[" * 100_000),
        answer(headers={"content-encoding": "gzip"}, body=b"no gzip"),
    ]
    assert ask(make(longest_pause_s=16)) == [True]
    assert fake_time.pauses == [1, 2, 4, 8, 16, 16, 16, 16]
    assert len(scripted.requests) == 9


def test_pauses_are_drawn_from_their_upper_half(scripted: Any, fake_time: Any, answer: Any) -> None:
    scripted.script = [answer(500)] * 3
    draws = iter([0.0, 0.5, 1.0])
    arguments = {**fake_time.arguments(), "jitter": lambda: next(draws)}
    assert ask(Server(scripted.address, Key(), Limits(), **arguments)) == [True]
    assert fake_time.pauses == [0.5, 1.5, 4]


def test_the_servers_wish_for_a_pause_counts(make: Any, scripted: Any, fake_time: Any, answer: Any) -> None:
    date = "Wed, 21 Oct 2026 07:28:10 GMT"
    scripted.script = [
        answer(429, headers={"Retry-After": "30"}),
        answer(503, headers={"Retry-After": date, "Date": "Wed, 21 Oct 2026 07:27:30 GMT"}),
        answer(429, headers={"Retry-After": "soon"}),
        answer(429, headers={"Retry-After": "0"}),
    ]
    assert ask(make()) == [True]
    assert fake_time.pauses == [30, 40, 4, 8]


def test_patience_ends_with_one_sentence(make: Any, scripted: Any, fake_time: Any, answer: Any) -> None:
    scripted.otherwise = lambda _: answer(503, body={"error": "loading\nthe model \x1b[31m"})
    with pytest.raises(InputError) as caught:
        ask(make(total_s=100))
    assert str(caught.value) == (
        f"the server at {scripted.address} is busy or failing (status 503): "
        '{"error": "loading\\nthe model \\u001b[31m"} (tried 7 times)'
    )
    assert fake_time.now <= 100


def test_a_pause_beyond_the_limit_is_not_begun(make: Any, scripted: Any, fake_time: Any, answer: Any) -> None:
    scripted.script = [answer(429, headers={"Retry-After": "86400"})]
    with pytest.raises(InputError, match="status 429"):
        ask(make())
    assert fake_time.pauses == []


@pytest.mark.parametrize("slowness", [{"delay_s": 3.0}, {"drip_s": 0.3}])
def test_an_attempt_has_a_time_limit(make: Any, scripted: Any, answer: Any, slowness: Any) -> None:
    scripted.script = [answer(body={"ok": False}, **slowness)]
    began = time.monotonic()
    assert ask(make(request_s=0.5)) == [True]
    assert time.monotonic() - began < 2.5
    scripted.script = [answer(body={"ok": False}, **slowness)]
    with pytest.raises(InputError, match=r"did not answer within 0\.5 s$"):
        ask(make(request_s=0.5), patient=False)


def test_a_refusal_is_final(make: Any, scripted: Any, fake_time: Any, answer: Any) -> None:
    scripted.script = [answer(400, body={"error": "no"})]
    with pytest.raises(Refused, match=r'refuses the request \(status 400\): \{"error": "no"\}$') as caught:
        ask(make())
    assert caught.value.status == 400
    assert fake_time.pauses == []


def test_an_impatient_request_is_tried_once(make: Any, scripted: Any, answer: Any) -> None:
    scripted.script = [answer(500)]
    with pytest.raises(InputError, match=r"status 500\): \{\}$"):
        ask(make(), patient=False)
    assert len(scripted.requests) == 1


def test_a_server_that_is_not_there(fake_time: Any) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
        with pytest.raises(InputError) as caught:
            ask(Server(address, Key(), Limits(total_s=10), **fake_time.arguments()))
    sentence = f"the server at {address} cannot be reached; is it running, and is the address right?"
    assert str(caught.value) == f"{sentence} (tried 4 times)"


def test_requests_at_once_are_limited_and_pauses_hold_no_slot(scripted: Any, answer: Any) -> None:
    scripted.otherwise = lambda _: answer(body={"ok": True}, delay_s=0.05)
    assert len(ask(Server(scripted.address, Key(), Limits(concurrent=3)), times=12)) == 12
    assert scripted.most_at_once == 3
    scripted.script = [answer(503, headers={"Retry-After": "1"})]
    began = time.monotonic()
    assert len(ask(Server(scripted.address, Key(), Limits(concurrent=1)), times=4)) == 4
    assert [request.body["n"] for request in scripted.requests[12:]] == [0, 1, 2, 3, 0]
    assert time.monotonic() - began < 5


def test_waiting_for_a_slot_does_not_count_as_trying(scripted: Any, answer: Any) -> None:
    scripted.otherwise = lambda _: answer(body={"ok": True}, delay_s=0.1)
    limits = Limits(concurrent=1, request_s=5, total_s=0.3)
    assert len(ask(Server(scripted.address, Key(), limits), times=6)) == 6


class TestKey:
    ECHO = f"Incorrect API key provided: {SECRET}"

    def test_the_server_gets_it(self, make: Any, scripted: Any) -> None:
        ask(make(key=Key(SECRET)))
        assert scripted.requests[0].headers["authorization"] == f"Bearer {SECRET}"

    def test_without_a_key_no_header_is_sent(self, make: Any, scripted: Any) -> None:
        ask(make())
        assert "authorization" not in scripted.requests[0].headers

    @pytest.mark.parametrize("status", [200, 400, 401, 500])
    def test_it_shows_nowhere(
        self, make: Any, scripted: Any, answer: Any, caplog: pytest.LogCaptureFixture, status: int
    ) -> None:
        scripted.otherwise = lambda _: answer(status, body={"error": self.ECHO})
        server = make(key=Key(SECRET), total_s=5)
        with caplog.at_level(logging.DEBUG), pytest.raises(InputError) as caught:
            ask(server)
        shown = "".join(traceback.format_exception(caught.value))
        texts = [shown, caplog.text, repr(server), repr(vars(server)), repr(vars(server._client))]
        assert "***" in shown
        assert len(caplog.records) > 3
        assert not any(SECRET in text for text in texts)

    def test_it_cannot_be_shown_copied_or_pickled(self) -> None:
        key = Key(SECRET)
        assert SECRET not in f"{key} {key!r}"
        for write in (pickle.dumps, copy.deepcopy):
            with pytest.raises(TypeError, match="an API key is not written anywhere"):
                write(key)

    def test_it_comes_from_the_environment(self) -> None:
        assert not read_key("")
        key = read_key("MY_KEY", {"MY_KEY": f" {SECRET}\n"})
        assert key.headers() == {"Authorization": f"Bearer {SECRET}"}

    @pytest.mark.parametrize("value", ["", "  ", "sk-ü", "two words", "a\nb"])
    def test_a_variable_without_a_usable_key(self, value: str) -> None:
        with pytest.raises(InputError, match="the environment variable MY_KEY") as caught:
            read_key("MY_KEY", {"MY_KEY": value})
        assert not value.strip() or value not in str(caught.value)
