"""Requests: what is read, and the protocol's error for each thing that is wrong."""

from __future__ import annotations

import json
from typing import Any

import pytest

from rstar_jax.serve.limits import Limits
from rstar_jax.serve.protocol import ApiError, effort_of, question_of, read_request
from rstar_jax.thinking.thought import Effort

USER = {"role": "user", "content": "What is 1 + 1?"}
LEAST = {"model": "rstar", "messages": [USER]}


def read(**fields: Any):
    return read_request(json.dumps(LEAST | fields).encode())


def error(**fields: Any) -> dict[str, Any]:
    def understand() -> None:
        wanted = read(**fields)
        question_of(wanted.messages)
        effort_of(wanted, Effort(), Limits())

    with pytest.raises(ApiError) as caught:
        understand()
    assert caught.value.status == 400
    found = caught.value.body["error"]
    assert found["type"] == "invalid_request_error"
    return found


def test_the_least_that_is_needed():
    found = read()
    assert question_of(found.messages) == "What is 1 + 1?"
    assert effort_of(found, Effort(rollouts=5, seed=3), Limits()) == Effort(rollouts=5, seed=3)
    assert not found.stream
    assert not found.with_usage
    assert found.stops == []


def test_what_clients_and_harnesses_send():
    found = read(
        temperature=0,
        top_p=0.9,
        n=1,
        max_tokens=256,
        max_completion_tokens=512,
        stop=["Question:", "", "</s>"],
        seed=1234,
        stream=True,
        stream_options={"include_usage": True},
        user="me",
        tools=[],
        logprobs=False,
        presence_penalty=0.0,
        response_format={"type": "text"},
        messages=[USER | {"type": "text", "name": "me"}],
    )
    assert effort_of(found, Effort(), Limits()) == Effort(max_tokens=256, seed=1234)
    assert found.stops == ["Question:", "</s>"]
    assert found.with_usage
    assert read(stop="x").stops == ["x"]


def test_search_has_fields_of_its_own():
    found = read(n_rollouts=3, n_trajectories=2, candidates=7, select="majority", seed=-1)
    usual = Effort(rollouts=9, trajectories=9, candidates=9, max_tokens=9)
    assert effort_of(found, usual, Limits()) == Effort(3, 2, 7, 9, "majority", -1)


def test_the_question_is_the_last_message():
    earlier = [{"role": "system", "content": "Be brief."}, USER, {"role": "assistant", "content": "2"}]
    parts = [{"type": "text", "text": " What "}, {"type": "text", "text": "is 2?\n"}]
    assert question_of(read(messages=[*earlier, {"role": "user", "content": parts}]).messages) == "What is 2?"


@pytest.mark.parametrize(
    ("fields", "param", "words"),
    [
        ({"messages": []}, "messages", "at least 1 item"),
        ({"messages": "What?"}, "messages", "valid list"),
        ({"messages": [{"role": "robot", "content": "x"}]}, "messages.0.role", "Input should be 'system'"),
        ({"messages": [{"role": "system", "content": "x"}]}, "messages.0", "last message is the system's"),
        ({"messages": [{"role": "user", "content": " \n"}]}, "messages.0.content", "question is empty"),
        ({"messages": [{"role": "user", "content": None}]}, "messages.0.content", "question is empty"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, "messages.0.content", "only text"),
        ({"messages": [{"role": "user", "content": [{"type": "text", "text": 7}]}]}, "messages.0.content", "empty"),
        ({"model": 7}, "model", "valid string"),
        ({"n": 2}, "n", "a request has one choice"),
        ({"tools": [{"type": "function"}]}, "tools", "calls nothing else"),
        ({"logprobs": True}, "logprobs", "PPM score"),
        ({"response_format": {"type": "json_object"}}, "response_format", "the policy has learned"),
        ({"n_rollout": 3}, "n_rollout", "unrecognized field: n_rollout"),
        ({"n_rollouts": "3"}, "n_rollouts", "valid integer"),
        ({"n_rollouts": True}, "n_rollouts", "valid integer"),
        ({"n_rollouts": 0}, "n_rollouts", "greater than or equal to 1"),
        ({"n_rollouts": 257}, "n_rollouts", "n_rollouts=257: a request may have 256 at most"),
        ({"n_trajectories": 17}, "n_trajectories", "may have 16 at most"),
        ({"candidates": 65}, "candidates", "may have 64 at most"),
        ({"max_tokens": 0}, "max_tokens", "greater than or equal to 1"),
        ({"seed": 1 << 63}, "seed", "less than"),
        ({"select": "luck"}, "select", "'best', 'majority' or 'weighted'"),
        ({"stream": "yes"}, "stream", "valid boolean"),
        ({"stop": 7}, "stop", "valid string"),
    ],
)
def test_bad_requests(fields: dict[str, Any], param: str, words: str):
    found = error(**fields)
    assert found["param"] == param
    assert words in found["message"]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "not valid JSON: EOF"),
        (b"{", "not valid JSON: EOF"),
        (b"[]", "not a JSON object"),
        (b'{"model": "\xff"}', "not valid JSON"),
        (b'{"temperature": NaN}', "not valid JSON"),
        (b"[" * 100_000, "not valid JSON: recursion limit"),
        (b"{}", "model: Field required"),
        (json.dumps(LEAST).encode()[:-1] + b', "n_rollouts": ' + b"9" * 4000 + b"}", "n_rollouts: "),
        (json.dumps(LEAST).encode()[:-1] + b', "seed": ' + b"9" * 5000 + b"}", "not valid JSON: number out of range"),
    ],
)
def test_bad_bodies(body: bytes, words: str):
    with pytest.raises(ApiError, match=words):
        read_request(body)


def test_half_a_surrogate_pair_is_no_text():
    body = json.dumps(LEAST).encode().replace(b"1 + 1", b"\\ud800")
    with pytest.raises(ApiError):
        question_of(read_request(body).messages)
