"""Paths in, proposals and values out."""

from __future__ import annotations

import asyncio
import dataclasses
import math

import jax
import pytest

from rstar_jax.inference.adapters import PathEncoder, PolicyProposer, PPMScorer
from rstar_jax.inference.config import EngineConfig, OverlongError, Sampling
from rstar_jax.inference.engine import PolicyEngine, PPMEngine
from rstar_jax.models.decoder import init_params, value_params
from rstar_jax.problems.problem import Problem
from rstar_jax.search import presets
from rstar_jax.search.mcts import search
from rstar_jax.search.protocols import Execution, Path
from rstar_jax.trajectory.prompts import PLAIN_FRAME, policy_prompt
from rstar_jax.trajectory.tags import STEP_ENDS
from rstar_jax.trajectory.tokenizer import train_tokenizer

PROBLEM = Problem("p", "What is 3 + 4?", "7")
STEPS = (
    "<code>\nx = 3\n<end_of_step>",
    "y = x + 4\n<end_of_step>",
    "print(y)\n<end_of_code>\n<output>7<end_of_output>\n",
)


@pytest.fixture(scope="module")
def tokenizer():
    return train_tokenizer([policy_prompt(PROBLEM.question, "".join(STEPS))] * 3, 300)


@pytest.fixture(scope="module")
def model(config, tokenizer):
    return dataclasses.replace(config, vocab_size=tokenizer.vocab_size)


@pytest.fixture(scope="module")
def policy(model, tokenizer, mesh):
    with jax.set_mesh(mesh):
        params = jax.jit(lambda: init_params(model, jax.random.key(0)))()
    sizes = EngineConfig(max_length=160, pages=60, tokens=(32,), rows=(8,), decode_steps=4, item=4)
    return PolicyEngine(model, params, sizes, tokenizer.stop_ids, mesh, tokenizer.decode)


@pytest.fixture(scope="module")
def ppm(model, mesh):
    with jax.set_mesh(mesh):
        params = value_params(model, jax.jit(lambda: init_params(model, jax.random.key(0)))())
        params["outer"]["value_weight"] = jax.random.normal(jax.random.key(1), (model.d_model,))
    return PPMEngine(model, params, EngineConfig(max_length=192, pages=60, tokens=(64,), item=4), mesh)


def test_pieces_are_encoded_as_the_whole(tokenizer):
    path = Path(PROBLEM, STEPS)
    assert PathEncoder(tokenizer, PLAIN_FRAME)(path) == tokenizer.encode(policy_prompt(PROBLEM.question, path.text))


def test_proposals(policy, tokenizer):
    proposer = PolicyProposer(policy, tokenizer, Sampling(max_tokens=12), max_context=160)
    path = Path(PROBLEM, STEPS[:1])

    async def run():
        async with policy:
            return await asyncio.gather(*(proposer.propose(path, 40, key) for key in (1, 1, 2)))

    first, again, other = asyncio.run(run())
    assert first == again != other
    finishes = {proposal.finish for proposal in first}
    assert finishes == {"stop", "length"}
    for proposal in first:
        assert (proposal.finish == "stop") == proposal.text.endswith(STEP_ENDS)
        assert 1 <= proposal.n_tokens <= 12
        assert proposal.logprob < 0


def test_closing_tags_may_be_texts(policy, tokenizer):
    """As for a base model whose tokenizer does not know the tags: the text ends with the stop, whatever follows it."""
    alphabet = tuple("aeiou")
    proposer = PolicyProposer(policy, tokenizer, Sampling(max_tokens=30, stop=alphabet), max_context=160)

    async def run():
        async with policy:
            return await proposer.propose(Path(PROBLEM, STEPS[:1]), 40, 3)

    proposals = asyncio.run(run())
    assert any(proposal.text.endswith(alphabet) for proposal in proposals)
    for proposal in proposals:
        assert not any(letter in proposal.text[:-1] for letter in alphabet)
        assert proposal.finish == "stop" or not proposal.text.endswith(alphabet)


def test_a_full_context_is_overlong(policy, tokenizer):
    length = len(tokenizer.encode(policy_prompt(PROBLEM.question)))

    async def run(max_context):
        async with policy:
            proposer = PolicyProposer(policy, tokenizer, Sampling(max_tokens=12), max_context)
            return await proposer.propose(Path(PROBLEM), 20, 5)

    proposer = PolicyProposer(policy, tokenizer, Sampling(max_tokens=12), 160)
    assert proposer.length(Path(PROBLEM)) == length
    limited = proposer.limited(length + 3)
    assert (limited.max_context, proposer.max_context, proposer.limited(999).max_context) == (length + 3, 160, 160)

    async def run_limited():
        async with policy:
            return await limited.propose(Path(PROBLEM), 20, 5)

    assert asyncio.run(run_limited()) == asyncio.run(run(length + 3))
    for proposal in asyncio.run(run(length + 3)):
        assert proposal.finish in ("stop", "overlong")
        assert proposal.n_tokens <= 3
    assert {(p.text, p.finish) for p in asyncio.run(run(length))} == {("", "overlong")}
    with pytest.raises(ValueError, match="exceeds"):
        asyncio.run(run(1000))


def test_siblings_equal_paths_alone(ppm, tokenizer):
    root = Path(PROBLEM)
    paths = [
        root.child(STEPS[0]),
        root.child(STEPS[1]),
        Path(PROBLEM, STEPS[:2]),
        root.child(STEPS[0]),
        Path(PROBLEM, STEPS),
    ]
    scorer = PPMScorer(ppm, tokenizer, "tanh5")

    async def run():
        async with ppm:
            return await scorer.score(paths), [(await scorer.score([path]))[0] for path in paths]

    together, alone = asyncio.run(run())
    assert together == pytest.approx(alone, abs=1e-5)
    assert len({round(x, 5) for x in together}) == 4
    assert all(-1 <= x <= 1 for x in together)


def test_squashing_is_a_choice(ppm, tokenizer):
    path = Path(PROBLEM, STEPS[:1])

    async def run():
        async with ppm:
            return [await PPMScorer(ppm, tokenizer, squash).score([path]) for squash in ("tanh", "tanh5")]

    (plain,), (fifth,) = asyncio.run(run())
    assert math.atanh(plain) == pytest.approx(5 * math.atanh(fifth), rel=1e-4)


def test_overlong_paths_raise_or_have_a_named_value(ppm, tokenizer):
    paths = [Path(PROBLEM, STEPS[:1]), Path(PROBLEM, ("x = 1 + 2 + 3 + 4 + 5 + 6\n" * 20 + "<end_of_step>",))]

    async def run(overlong):
        async with ppm:
            return await PPMScorer(ppm, tokenizer, "tanh", overlong).score(paths)

    with pytest.raises(OverlongError, match="the context holds 192"):
        asyncio.run(run(None))
    fits, too_long = asyncio.run(run(-1.0))
    assert too_long == -1.0 != fits


class Obliging:
    """An executor for which every step works."""

    async def expand(self, history, snippets):
        return [Execution("ok", str(len(snippet) % 7)) for snippet in snippets]


def test_a_whole_search_compiles_the_declared_programs_only(policy, ppm, tokenizer):
    """Real searches with both engines, several trees at a time; a second search of a tree is the same."""
    config = dataclasses.replace(presets.default("eval"), rollouts=4, candidates=16, max_depth=4)
    problems = [Problem(f"p{i}", f"What is {i} + 4?", "7") for i in range(4)]
    proposer = PolicyProposer(policy, tokenizer, Sampling(temperature=2.0, max_tokens=40), max_context=160)
    scorer = PPMScorer(ppm, tokenizer, "tanh", overlong=-1.0)
    for engine in (policy, ppm):
        engine.warm_up()

    async def run(problems):
        async with policy, ppm:
            trees = [search(problem, config, proposer, Obliging(), scorer=scorer) for problem in problems]
            return await asyncio.gather(*trees)

    trees = asyncio.run(run(problems))
    assert sum(tree.scored for tree in trees) > 10
    assert policy.compilations == policy.engine_config.compiled_shapes("lm")
    assert ppm.compilations == ppm.engine_config.compiled_shapes("value")
    (again,) = asyncio.run(run(problems[2:3]))
    assert (again.text, again.visits) == (trees[2].text, trees[2].visits)
    assert again.ppm == pytest.approx(trees[2].ppm, abs=1e-5, nan_ok=True)
