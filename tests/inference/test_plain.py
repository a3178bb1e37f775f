"""The real engine behind a plain proposer: token flow, end tokens, stop texts."""

from __future__ import annotations

import asyncio
import dataclasses

import jax
import pytest
from tokenizers import processors

from rstar_jax.errors import InputError
from rstar_jax.evaluation.plain import PlainConfig, Tool, plain_solution
from rstar_jax.files import write_json
from rstar_jax.inference.config import EngineConfig, Sampling
from rstar_jax.inference.engine import PolicyEngine
from rstar_jax.inference.plain import PlainProposer, end_tokens
from rstar_jax.models.decoder import init_params
from rstar_jax.problems.problem import Problem
from rstar_jax.search.protocols import Execution, Path
from rstar_jax.trajectory.plain_prompts import Completion
from rstar_jax.trajectory.tokenizer import END_OF_TEXT, train_tokenizer

PROBLEM = Problem("p", "What is 3 + 4?", "7")
STYLE = Completion(instruction="", stop=())
CONTEXT = 160


@pytest.fixture(scope="module")
def tokenizer():
    return train_tokenizer([STYLE(PROBLEM.question)] * 3, 300)


@pytest.fixture(scope="module")
def ends(tokenizer):
    return tuple(tokenizer.encode(letter)[0] for letter in "bdfghjklmnpqrstvwxyz")  # a random model draws them soon


@pytest.fixture(scope="module")
def engine(config, tokenizer, ends, mesh):
    model = dataclasses.replace(config, vocab_size=tokenizer.vocab_size)
    with jax.set_mesh(mesh):
        params = jax.jit(lambda: init_params(model, jax.random.key(0)))()
    sizes = EngineConfig(max_length=CONTEXT, pages=60, tokens=(32,), rows=(8,), decode_steps=4, item=4)
    return PolicyEngine(model, params, sizes, ends, mesh, tokenizer.decode)


@pytest.fixture
def proposer(engine, tokenizer, ends):
    def make(sampling: Sampling, prompt=STYLE, opened: bool = False) -> PlainProposer:
        return PlainProposer(engine, tokenizer, sampling, CONTEXT, prompt, ends, opened)

    return make


def run(engine, coroutine):
    async def go():
        async with engine:
            return await coroutine

    return asyncio.run(go())


def test_end_tokens_leave_no_text_and_stop_texts_do(engine, proposer, ends, tokenizer):
    sampling = Sampling(max_tokens=30, stop=("a", "e", "i"))

    async def both():
        proposals = await proposer(sampling).propose(Path(PROBLEM), 40, 3)
        return proposals, await engine.generate(tokenizer.encode(STYLE(PROBLEM.question)), 40, sampling, 3)

    seen = set()
    for proposal, completion in zip(*run(engine, both()), strict=True):
        *before, last = completion.tokens
        ended = "token" if last in ends else completion.finish
        seen.add(ended)
        if ended == "token":
            assert proposal.text == tokenizer.decode(before)
        elif ended == "stop":
            assert proposal.text.endswith(sampling.stop)
            assert tokenizer.decode(completion.tokens).startswith(proposal.text)
        assert (proposal.n_tokens, proposal.finish) == (len(completion.tokens), completion.finish)
    assert seen == {"token", "stop", "length"}


def test_a_response_is_continued_from_its_text(engine, proposer, tokenizer, monkeypatch):
    seen = []
    generate = engine.generate

    async def spy(prompt, *rest):
        seen.append(tokenizer.decode(prompt))
        return await generate(prompt, *rest)

    monkeypatch.setattr(engine, "generate", spy)
    run(engine, proposer(Sampling(max_tokens=2)).propose(Path(PROBLEM, ("It is\n", "7.")), 1, 0))
    assert seen == ["Question: What is 3 + 4?\nAnswer:It is\n7."]


def test_a_full_context_is_overlong(engine, proposer, tokenizer):
    long = Path(PROBLEM, ("?" * (CONTEXT - len(tokenizer.encode(STYLE(PROBLEM.question))) - 2),))
    for one in run(engine, proposer(Sampling(max_tokens=12)).propose(long, 20, 5)):
        assert one.finish in ("stop", "overlong")
        assert one.n_tokens <= 2
    (one,) = run(engine, proposer(Sampling()).propose(long.child("??"), 1, 5))
    assert (one.text, one.finish, one.n_tokens) == ("", "overlong", 0)


def test_a_tokenizers_opening_token_stands_before_a_completion_only(engine, tokenizer, ends):
    backend = type(tokenizer.backend).from_str(tokenizer.backend.to_str())
    opening = tokenizer.pad_id
    backend.post_processor = processors.TemplateProcessing(
        single=f"{END_OF_TEXT} $A", special_tokens=[(END_OF_TEXT, opening)]
    )
    other = type(tokenizer)(backend)
    seen = []

    class Engine:
        engine_config = engine.engine_config

        async def generate(self, prompt, n, sampling, key):
            seen.append(list(prompt))
            return []

    for opened in (True, False):
        proposer = PlainProposer(Engine(), other, Sampling(), CONTEXT, STYLE, ends, opened)  # type: ignore[arg-type]
        asyncio.run(proposer.propose(Path(PROBLEM), 1, 0))
    assert seen == [[opening, *seen[1]], tokenizer.encode(STYLE(PROBLEM.question))]


class Obliging:
    async def expand(self, history, snippets):
        return [Execution("ok", "7") for _ in snippets]


def test_solutions_are_the_same_alone_and_together(engine, proposer):
    config = PlainConfig(STYLE, Tool(), sampling=Sampling(max_tokens=20), max_context=CONTEXT)
    problems = [Problem(str(i), f"What is {i} + 4?", "7") for i in range(6)]

    def solution(problem):
        return plain_solution(problem, proposer(config.sample_sampling), Obliging(), config, int(problem.id))

    async def together():
        return await asyncio.gather(*map(solution, problems))

    found = run(engine, together())
    assert [run(engine, solution(problem)).text for problem in reversed(problems)] == [one.text for one in found][::-1]
    assert len({one.text for one in found}) == len(problems)


@pytest.mark.parametrize(
    ("files", "wanted"),
    [
        ({"generation_config.json": {"eos_token_id": [5, 6]}, "config.json": {"eos_token_id": 7}}, (5, 6)),
        ({"generation_config.json": {"eos_token_id": 5}}, (5,)),
        ({"generation_config.json": {}, "config.json": {"eos_token_id": 0}}, (0,)),
        ({"config.json": {"model": {}}, "tokenizer_config.json": {"eos_token": END_OF_TEXT}}, None),
        ({"tokenizer_config.json": {"eos_token": {"content": END_OF_TEXT}}}, None),
    ],
)
def test_end_tokens_are_the_models_own(tokenizer, tmp_path, files, wanted):
    for name, value in files.items():
        write_json(tmp_path / name, value)
    assert end_tokens(tmp_path, tokenizer) == (wanted or (tokenizer.pad_id,))


def test_a_folder_that_names_no_end_token_is_one_sentence(tokenizer, tmp_path):
    with pytest.raises(InputError, match="names no end token"):
        end_tokens(tmp_path, tokenizer)
    write_json(tmp_path / "tokenizer_config.json", {"eos_token": "</s>"})
    with pytest.raises(InputError, match="'</s>' is not in the vocabulary"):
        end_tokens(tmp_path, tokenizer)
