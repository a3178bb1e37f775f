"""The proposer against a real server that answers like vLLM, SGLang, an API, or wrongly."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import logging
import traceback
from collections.abc import Callable
from typing import Any

import pytest

from rstar_jax.errors import InputError
from rstar_jax.evolution.bootstrap.openai_server import OpenAIConfig, OpenAIProposer, candidate_seed
from rstar_jax.evolution.bootstrap.server import Limits
from rstar_jax.problems.problem import Problem
from rstar_jax.search.protocols import Path, Proposal

SECRET = "sk-very-secret-0123456789"
ROOT = Path(Problem("p1", "What is $1 + 1$?", "2"))
STEP = "<code>\nx = 1\n<end_of_step>"
FULL = {"message": "This model's maximum context length is 4096 tokens. However, you requested 5000."}


def choices(*texts: str, **fields: Any) -> dict[str, Any]:
    rows = [{"index": i, "text": text, "finish_reason": "stop", **fields} for i, text in enumerate(texts)]
    return {"choices": rows, "usage": {"completion_tokens": 10 * len(texts)}}


@pytest.fixture
def propose(scripted: Any, fake_time: Any) -> Callable[..., list[Proposal]]:
    def run(path: Path = ROOT, n: int = 1, key: int = 5, **fields: Any) -> list[Proposal]:
        async def once() -> list[Proposal]:
            config = OpenAIConfig(scripted.address, "big-model", **fields)
            arguments = {**fake_time.arguments(), "environ": {"MY_KEY": SECRET}}
            async with OpenAIProposer(config, **arguments) as proposer:
                return await proposer.propose(path, n, key)

        return asyncio.run(once())

    return run


def seeded(request: Any) -> Any:
    """A server's answer that depends on the seed, with one choice for each of n."""
    n = request.body.get("n", 1)
    return choices(*(f"# seed {request.body['seed']}, sample {i}\n" for i in range(n)))


class TestRequest:
    def test_fields(self, propose: Any, scripted: Any, answer: Any) -> None:
        scripted.otherwise = lambda _: answer(body=choices("x\n", "y\n"))
        sampling = {"temperature": 0.6, "top_p": 0.95, "max_tokens": 100, "extra": {"top_k": 20}}
        propose(ROOT.child(STEP), n=2, ask_logprobs=True, **sampling)
        [request] = scripted.requests
        assert (request.method, request.path) == ("POST", "/v1/completions")
        assert request.body.pop("prompt").endswith(f"Question: What is $1 + 1$?\n{STEP}")
        assert request.body == {
            "model": "big-model",
            "max_tokens": 100,
            "temperature": 0.6,
            "top_p": 0.95,
            "top_k": 20,
            "stop": ["<end_of_step>", "<end_of_code>", "<end_of_answer>", "<end_of_output>"],
            "n": 2,
            "seed": candidate_seed(5, 0),
            "logprobs": 1,
        }

    def test_optional_fields_are_left_out(self, propose: Any, scripted: Any, answer: Any) -> None:
        scripted.otherwise = lambda _: answer(body=choices("x\n"))
        propose(send_seed=False)
        assert not {"n", "seed", "logprobs"} & set(scripted.requests[0].body)

    def test_candidates_have_seeds_of_their_own(self, propose: Any, scripted: Any, answer: Any) -> None:
        scripted.otherwise = lambda request: answer(body=seeded(request))
        first = propose(n=4, n_at_once=False)
        seeds = [f"# seed {candidate_seed(5, i)}, sample 0\n<end_of_step>" for i in range(4)]
        assert [proposal.text for proposal in first] == seeds
        assert propose(n=4, n_at_once=False) == first
        assert propose(n=4, n_at_once=False, key=6) != first
        assert all(0 <= candidate_seed(2**63 - 1, i) < 2**31 for i in range(100))

    def test_all_candidates_come_from_one_request(self, propose: Any, scripted: Any, answer: Any) -> None:
        scripted.otherwise = lambda request: answer(body=seeded(request))
        assert len({proposal.text for proposal in propose(n=4)}) == 4
        assert len(scripted.requests) == 1

    @pytest.mark.parametrize("status", [400, 422, 200])
    def test_a_server_that_draws_one_at_a_time(
        self, scripted: Any, fake_time: Any, answer: Any, status: int
    ) -> None:
        """It refuses n (400, 422) or ignores it (200); either way it is not asked again."""

        def draw(request: Any) -> Any:
            if request.body.get("n", 1) > 1 and status != 200:
                return answer(status, body={"error": {"message": "n must be 1"}})
            return answer(body=choices(f"# {request.body['seed']}\n"))

        async def twice() -> list[list[Proposal]]:
            config = OpenAIConfig(scripted.address, "m")
            async with OpenAIProposer(config, **fake_time.arguments()) as proposer:
                return [await proposer.propose(ROOT, 3, 5) for _ in range(2)]

        scripted.otherwise = draw
        first, second = asyncio.run(twice())
        expected = [f"# {candidate_seed(5, i)}\n<end_of_step>" for i in range(3)]
        assert [proposal.text for proposal in first] == expected
        assert first == second
        assert sum(request.body.get("n", 1) > 1 for request in scripted.requests) == 1

    def test_chat(self, propose: Any, scripted: Any, answer: Any) -> None:
        reply = {"message": {"content": f"{STEP}\n\n# Step 2\ny = 2\n"}, "finish_reason": "stop"}
        scripted.otherwise = lambda _: answer(body={"choices": [reply]})
        [proposal] = propose(ROOT.child(STEP), endpoint="chat", ask_logprobs=True)
        [request] = scripted.requests
        assert request.path == "/v1/chat/completions"
        assert "prompt" not in request.body
        assert request.body["logprobs"] is True
        [message] = request.body["messages"]
        assert message["role"] == "user"
        assert f"Question: What is $1 + 1$?\n{STEP}\n\nContinue this" in message["content"]
        assert proposal.text == "\n\n# Step 2\ny = 2\n<end_of_step>"

    def test_chat_reply_begins_on_a_line_of_its_own(self, propose: Any, scripted: Any, answer: Any) -> None:
        reply = {"message": {"content": "# Step 2\ny = 2"}, "finish_reason": "stop"}
        scripted.otherwise = lambda _: answer(body={"choices": [reply]})
        assert propose(ROOT.child(STEP), endpoint="chat")[0].text == "\n# Step 2\ny = 2<end_of_step>"
        assert propose(endpoint="chat")[0].text == "# Step 2\ny = 2<end_of_step>"


class TestAnswer:
    @pytest.mark.parametrize("field", ["stop_reason", "matched_stop"])
    def test_the_named_stop_is_used(self, propose: Any, scripted: Any, answer: Any, field: str) -> None:
        scripted.otherwise = lambda _: answer(body=choices("x = 1\n", **{field: "<end_of_code>"}))
        assert propose() == [Proposal("x = 1\n<end_of_code>", "stop", 0.0, 10)]

    def test_choices_are_ordered_by_index(self, propose: Any, scripted: Any, answer: Any) -> None:
        body = choices("a\n", "b\n", "c\n")
        body["choices"].reverse()
        scripted.otherwise = lambda _: answer(body=body)
        assert [proposal.text[0] for proposal in propose(n=3)] == ["a", "b", "c"]

    @pytest.mark.parametrize(
        "logprobs",
        [
            {"tokens": ["a", "b"], "token_logprobs": [-1.0, -0.5], "top_logprobs": None},
            {"content": [{"token": "a", "logprob": -1.0}, {"token": "b", "logprob": -0.5}]},
        ],
    )
    def test_logprobs_are_summed(self, propose: Any, scripted: Any, answer: Any, logprobs: Any) -> None:
        scripted.otherwise = lambda _: answer(body=choices("x", logprobs=logprobs))
        assert propose(ask_logprobs=True) == [Proposal("x<end_of_step>", "stop", -1.5, 2)]

    def test_tokens_counted_in_sum_are_shared_out_by_length(
        self, propose: Any, scripted: Any, answer: Any
    ) -> None:
        body = choices("x" * 30, "x" * 10)
        scripted.otherwise = lambda _: answer(body=body)
        assert [proposal.n_tokens for proposal in propose(n=2)] == [15, 5]

    def test_a_step_that_is_too_long(self, propose: Any, scripted: Any, answer: Any) -> None:
        scripted.otherwise = lambda _: answer(body=choices("# so on", finish_reason="length"))
        assert propose() == [Proposal("# so on", "length", 0.0, 10)]

    def test_a_nearly_full_context_gets_less_room(self, propose: Any, scripted: Any, answer: Any) -> None:
        def fit(request: Any) -> Any:
            if request.body["max_tokens"] > 200:
                return answer(400, body=FULL)
            return answer(body=choices("x = 1\n", "# so", finish_reason="length"))

        scripted.otherwise = fit
        assert [proposal.finish for proposal in propose(n=2, max_tokens=800)] == ["overlong", "overlong"]
        assert [request.body["max_tokens"] for request in scripted.requests] == [800, 200]

    def test_a_full_context_is_overlong(self, propose: Any, scripted: Any, answer: Any) -> None:
        scripted.otherwise = lambda _: answer(400, body={"error": FULL})
        assert propose(n=3) == [Proposal("", "overlong")] * 3

    @pytest.mark.parametrize(
        "garbage", [{}, [], "text", None, *({"choices": rows} for rows in ([], None, [{}], [{"text": 5}]))]
    )
    def test_garbage_is_asked_again(
        self, propose: Any, scripted: Any, answer: Any, fake_time: Any, garbage: Any
    ) -> None:
        scripted.script = [answer(body=garbage)]
        scripted.otherwise = lambda _: answer(body=choices("x\n"))
        assert len(propose()) == 1
        assert fake_time.pauses == [1]


class TestErrors:
    def sentence(self, run: Callable[..., Any], **fields: Any) -> str:
        with pytest.raises(InputError) as caught:
            run(**fields)
        assert "\n" not in str(caught.value)
        return str(caught.value)

    def test_no_key(self, propose: Any, scripted: Any, answer: Any) -> None:
        scripted.otherwise = lambda _: answer(401)
        assert self.sentence(propose).endswith("asks for an API key; name its variable in api_key_variable")

    def test_wrong_key(self, propose: Any, scripted: Any, answer: Any) -> None:
        scripted.otherwise = lambda _: answer(401, body={"error": f"wrong key {SECRET}"})
        sentence = self.sentence(propose, api_key_variable="MY_KEY")
        assert sentence == f"the server at {scripted.address} does not accept the API key in MY_KEY"

    def test_unset_key(self, propose: Any) -> None:
        sentence = self.sentence(propose, api_key_variable="OTHER")
        assert sentence == "the environment variable OTHER should hold the API key, but is not set"

    def test_no_such_model(self, propose: Any, scripted: Any, answer: Any) -> None:
        models = {"data": [{"id": "small-model"}, {"id": "other"}]}
        scripted.otherwise = lambda r: answer(body=models) if r.method == "GET" else answer(404)
        assert self.sentence(propose).endswith("has no model 'big-model'; it has small-model, other")
        assert scripted.requests[-1].path == "/v1/models"

    @pytest.mark.parametrize("status", [404, 405, 307])
    def test_no_such_endpoint(self, propose: Any, scripted: Any, answer: Any, status: int) -> None:
        scripted.otherwise = lambda _: answer(status, body=b"Not Found")
        assert self.sentence(propose).endswith(
            f"has no endpoint /completions (status {status}); "
            'base_url usually ends in /v1, and endpoint "chat" is the other choice'
        )

    def test_another_refusal_is_quoted(self, propose: Any, scripted: Any, answer: Any) -> None:
        scripted.otherwise = lambda _: answer(422, body={"detail": "Unexpected fields: {'seed'}"})
        assert "(status 422): {\"detail\": \"Unexpected fields: {'seed'}\"}" in self.sentence(propose)

    @pytest.mark.parametrize(
        ("fields", "reason"),
        [
            ({"base_url": "localhost:8000"}, "http://localhost:8000/v1, not 'localhost:8000'"),
            ({"base_url": "http://[::1"}, "base_url is no address"),
            ({"base_url": f"http://me:{SECRET}@host/v1"}, "base_url holds a user name or a query"),
            ({"base_url": f"http://host/v1?key={SECRET}"}, "base_url holds a user name or a query"),
            ({"endpoint": "responses"}, "endpoint should be one of completions, chat, not 'responses'"),
            ({"shots": 9}, "shots should be 0 to 4, not 9"),
        ],
    )
    def test_wrong_settings(self, fields: dict[str, Any], reason: str) -> None:
        with pytest.raises(InputError) as caught:
            OpenAIConfig(**{"base_url": "http://host/v1", "model": "m", **fields})
        assert reason in str(caught.value)
        assert SECRET not in str(caught.value)


class TestCheck:
    def check(self, scripted: Any, **fields: Any) -> None:
        async def once() -> None:
            async with OpenAIProposer(OpenAIConfig(scripted.address, "m", **fields)) as proposer:
                await proposer.check()

        asyncio.run(once())

    def test_a_working_server_passes(self, scripted: Any, answer: Any) -> None:
        scripted.otherwise = lambda _: answer(body=choices(""))
        self.check(scripted)
        assert scripted.requests[0].body == {"model": "m", "max_tokens": 1, "prompt": "1 + 1 ="}

    def test_a_failing_server_is_told_at_once(self, scripted: Any, answer: Any) -> None:
        scripted.otherwise = lambda _: answer(503)
        with pytest.raises(InputError, match="status 503"):
            self.check(scripted, endpoint="chat")
        assert len(scripted.requests) == 1


def test_batching_changes_no_proposal(scripted: Any, answer: Any) -> None:
    """Many trees at once, a few slots, failures in between: each gets what it would get alone."""
    scripted.otherwise = lambda request: answer(body=seeded(request))

    async def all_of_them(concurrent: int) -> list[list[Proposal]]:
        limits = Limits(concurrent=concurrent, first_pause_s=0.01)
        async with OpenAIProposer(OpenAIConfig(scripted.address, "m", limits=limits)) as proposer:
            return await asyncio.gather(*(proposer.propose(ROOT, 3, key) for key in range(20)))

    alone = asyncio.run(all_of_them(1))
    scripted.script = [answer(429), answer(500), answer(drop=True)] * 3
    assert asyncio.run(all_of_them(8)) == alone
    assert scripted.most_at_once <= 8


@pytest.mark.parametrize("status", [200, 400, 401, 404, 500])
def test_the_key_shows_nowhere(
    scripted: Any, fake_time: Any, answer: Any, caplog: pytest.LogCaptureFixture, status: int
) -> None:
    scripted.otherwise = lambda _: answer(status, body={"error": {"message": f"your key {SECRET} is bad"}})
    config = OpenAIConfig(scripted.address, "m", api_key_variable="MY_KEY", limits=Limits(total_s=5))

    async def once() -> None:
        async with OpenAIProposer(config, environ={"MY_KEY": SECRET}, **fake_time.arguments()) as proposer:
            shown.append(repr(proposer) + repr(vars(proposer)) + repr(vars(proposer._server)))
            await proposer.propose(ROOT, 2, 5)

    shown = [repr(config), json.dumps(dataclasses.asdict(config))]  # the latter goes into a run's folder
    with caplog.at_level(logging.DEBUG), pytest.raises(InputError) as caught:
        asyncio.run(once())
    shown += ["".join(traceback.format_exception(caught.value)), caplog.text]
    assert scripted.requests[0].headers["authorization"] == f"Bearer {SECRET}"
    assert len(caplog.records) > 3
    assert not any(SECRET in text for text in shown)
