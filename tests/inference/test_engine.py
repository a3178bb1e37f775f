"""Generation: what comes out is a function of the request alone."""

from __future__ import annotations

import asyncio
import dataclasses
import itertools
import random

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rstar_jax.inference.config import EngineConfig, Sampling
from rstar_jax.inference.engine import PolicyEngine
from rstar_jax.models.decoder import hidden_states, init_params, logits
from rstar_jax.models.packed_rows import PackedRows

STOP_IDS = (1, 2)
GREEDY = Sampling(temperature=0, max_tokens=12)


def requests(count: int, seed: int = 0) -> list[tuple[list[int], int, Sampling, int]]:
    """Mixed requests: (prompt, n, sampling, key)."""
    rng = random.Random(seed)
    kinds = [GREEDY, Sampling(max_tokens=9), Sampling(0.7, top_p=0.8, max_tokens=14), Sampling(1.3, top_k=5)]
    stem = [rng.randrange(3, 64) for _ in range(40)]
    made = []
    for number in range(count):
        prompt = stem[: rng.randrange(0, 40)] + [rng.randrange(3, 64) for _ in range(rng.randrange(1, 12))]
        made.append((prompt, rng.randrange(1, 6), rng.choice(kinds), 1000 + number))
    return made


async def crowd(engine: PolicyEngine, asked: list) -> list:
    async with engine:
        return await asyncio.gather(*(engine.generate(*request) for request in asked))


async def one_by_one(engine: PolicyEngine, asked: list) -> list:
    async with engine:
        return [await engine.generate(*request) for request in asked]


def tokens_of(answers: list) -> list:
    return [[completion.tokens for completion in answer] for answer in answers]


def greedy_reference(config, params, prompt, limit):
    """Full forward passes over a padded row, one per token."""
    tokens, length = list(prompt), 64
    positions = jnp.arange(length)[None]

    @jax.jit
    def next_logits(row, end):
        segments = (positions < end).astype(jnp.int32)
        hidden = hidden_states(config, params, row, PackedRows(positions, segments))
        return logits(config, params, jax.lax.dynamic_index_in_dim(hidden[0], end - 1, keepdims=False))

    total = 0.0
    while len(tokens) - len(prompt) < limit:
        row = np.zeros((1, length), np.int32)
        row[0, : len(tokens)] = tokens
        scores = next_logits(row, len(tokens))
        tokens.append(int(jnp.argmax(scores)))
        total += float(jax.nn.log_softmax(scores)[tokens[-1]])
        if tokens[-1] in STOP_IDS:
            break
    return tokens[len(prompt) :], total


def test_greedy_equals_full_forward(config, params, mesh, engine):
    asked = [(prompt, 1, GREEDY, key) for prompt, _, _, key in requests(8)]
    answers = asyncio.run(crowd(engine, asked))
    with jax.set_mesh(mesh):
        for (prompt, *_), (completion,) in zip(asked, answers, strict=True):
            tokens, logprob = greedy_reference(config, params, prompt, GREEDY.max_tokens)
            assert list(completion.tokens) == tokens
            assert completion.logprob == pytest.approx(logprob, abs=1e-4)
            assert completion.finish == ("stop" if tokens[-1] in STOP_IDS else "length")


def assert_same(found, expected):
    """The same tokens and endings, and log-probabilities to 1e-5.

    On many CPUs the bits are the same too, but a matrix product may sum differently for another number of rows.
    """
    assert [[(c.tokens, c.finish) for c in x] for x in found] == [[(c.tokens, c.finish) for c in x] for x in expected]
    logprobs = [[c.logprob for answer in answers for c in answer] for answers in (found, expected)]
    np.testing.assert_allclose(*logprobs, rtol=1e-5, atol=1e-5)


def test_neighbours_order_and_cache_change_nothing(params, engine):
    asked = requests(24)
    reference = asyncio.run(crowd(engine, asked))

    engine.load(params)
    order = random.Random(1).sample(range(len(asked)), len(asked))
    shuffled = asyncio.run(crowd(engine, [asked[i] for i in order]))
    assert_same([shuffled[order.index(i)] for i in range(len(asked))], reference)

    engine.load(params)
    reused = engine.metrics.reused
    assert_same(asyncio.run(one_by_one(engine, asked)), reference)
    assert engine.metrics.reused > reused
    assert_same(asyncio.run(one_by_one(engine, asked)), reference)  # now with a warm prefix store


@pytest.mark.parametrize(
    "change",
    [
        {"rows": (4,)},
        pytest.param({"rows": (24,), "decode_steps": 7}, marks=pytest.mark.slow),
        pytest.param({"tokens": (64,), "copies": 1}, marks=pytest.mark.slow),
    ],
)
def test_sizes_of_dispatches_change_no_token(config, params, mesh, sizes, engine, change):
    asked = requests(12)
    expected = asyncio.run(crowd(engine, asked))
    other = PolicyEngine(config, params, dataclasses.replace(sizes, **change), STOP_IDS, mesh)
    answers = asyncio.run(crowd(other, asked))
    assert tokens_of(answers) == tokens_of(expected)


@pytest.mark.parametrize("page_size", [2, pytest.param(16, marks=pytest.mark.slow)])
def test_the_layout_of_pages_changes_nothing(config, params, mesh, sizes, engine, page_size):
    asked = requests(12)
    expected = asyncio.run(crowd(engine, asked))
    other = dataclasses.replace(sizes, page_size=page_size)
    assert_same(asyncio.run(crowd(PolicyEngine(config, params, other, STOP_IDS, mesh), asked)), expected)


@pytest.mark.parametrize("pages", ["least", *(pytest.param(pages, marks=pytest.mark.slow) for pages in (14, 30))])
def test_a_pool_that_runs_full_changes_nothing(config, params, mesh, sizes, engine, pages):
    asked = requests(24)
    expected = asyncio.run(crowd(engine, asked))
    pages = sizes.least_pages if pages == "least" else pages
    tiny = PolicyEngine(config, params, dataclasses.replace(sizes, pages=pages), STOP_IDS, mesh)
    assert_same(asyncio.run(crowd(tiny, asked)), expected)
    assert tiny.metrics.recomputed > 0
    assert tiny.metrics.held == 0
    order = random.Random(2).sample(range(len(asked)), len(asked))
    shuffled = asyncio.run(crowd(tiny, [asked[i] for i in order]))
    assert_same([shuffled[order.index(i)] for i in range(len(asked))], expected)


def test_a_prefix_is_computed_once(engine):
    """Siblings share their prompt, and who goes on behind a completion recomputes its last token at most."""
    prompt = [3 + i % 50 for i in range(30)]
    go_on = Sampling(temperature=0, max_tokens=10)

    async def run():
        async with engine:
            first = await engine.generate(prompt, 6, Sampling(max_tokens=10), 1)
            after_first = dataclasses.replace(engine.metrics)
            longer = [prompt + list(c.tokens) for c in first]
            for path in longer:
                await engine.generate(path, 4, go_on, 2)
            return after_first, longer

    before = dataclasses.replace(engine.metrics)
    after_first, longer = asyncio.run(run())
    assert after_first.prefilled - before.prefilled == len(prompt) - 1
    # The last token of a path is read by its candidates, the one before it was drawn last and never read.
    assert engine.metrics.prefilled - after_first.prefilled == 0
    assert engine.metrics.reused - after_first.reused == sum(len(path) - 1 for path in longer)


def test_a_whole_run_compiles_the_declared_programs_only(config, mesh, sizes, engine):
    report = engine.warm_up()
    assert engine.compilations == sizes.compiled_shapes("lm") == len(report)
    asyncio.run(crowd(engine, requests(30, seed=3)))
    with jax.set_mesh(mesh):
        engine.load(jax.jit(lambda: init_params(config, jax.random.key(5)))())
    asyncio.run(one_by_one(engine, requests(6, seed=4)))
    assert engine.compilations == sizes.compiled_shapes("lm")


def test_new_weights_leave_nothing_of_the_old(config, params, mesh, engine):
    asked = requests(6)
    with jax.set_mesh(mesh):
        other = jax.jit(lambda: init_params(config, jax.random.key(7)))()
    engine.load(other)
    fresh = asyncio.run(crowd(engine, asked))
    engine.load(params)
    assert asyncio.run(crowd(engine, asked)) != fresh
    engine.load(other)
    assert_same(asyncio.run(crowd(engine, asked)), fresh)


def test_limits_are_outcomes(config, params, mesh, sizes):
    never = PolicyEngine(config, params, sizes, (), mesh)
    prompt = [3] * 60
    asked = [
        (prompt, 2, Sampling(max_tokens=50), 0),
        (prompt, 1, Sampling(max_tokens=3), 0),
        ([3] * 64, 3, GREEDY, 0),
    ]
    long, short, full = asyncio.run(crowd(never, asked))
    assert [(len(c.tokens), c.finish) for c in long] == [(4, "overlong")] * 2
    assert [(len(c.tokens), c.finish) for c in short] == [(3, "length")]
    assert [(c.tokens, c.finish) for c in full] == [((), "overlong")] * 3


def test_candidates_follow_the_model(config, params, mesh):
    """First tokens of many candidates against the exact probabilities."""
    sizes = EngineConfig(max_length=16, page_size=8, pages=300, tokens=(8,), rows=(64,), decode_steps=1, block=16)
    n, prompt = 4000, [5, 9, 30]
    engine = PolicyEngine(config, params, sizes, STOP_IDS, mesh)
    (drawn,) = asyncio.run(crowd(engine, [(prompt, n, Sampling(max_tokens=1), 11)]))
    with jax.set_mesh(mesh):
        positions = jnp.arange(3)[None]
        rows = PackedRows(positions, jnp.ones((1, 3), jnp.int32))
        hidden = hidden_states(config, params, jnp.array([prompt]), rows)
        exact = np.asarray(jax.nn.softmax(logits(config, params, hidden[0, -1])), np.float64)
    counts = np.bincount([c.tokens[0] for c in drawn], minlength=config.vocab_size)
    likely = exact * n > 5
    chi2 = ((counts - n * exact) ** 2 / (n * exact))[likely].sum()
    assert chi2 < likely.sum() + 5 * np.sqrt(2 * likely.sum())
    for completion in drawn[:20]:
        assert completion.logprob == pytest.approx(np.log(exact[completion.tokens[0]]), abs=1e-4)


def test_keys_decide(engine):
    keys = (1, 1, 2, 1 + (1 << 40))
    asked = [([7, 8], 4, Sampling(max_tokens=10), key) for key in keys]
    same, again, other, high = asyncio.run(crowd(engine, asked))
    assert same == again
    assert len({tuple(c.tokens for c in answer) for answer in (same, other, high)}) == 3
    assert len({c.tokens for c in same}) > 1


def test_thousands_of_coroutines(engine):
    asked = [([3 + i % 50, 4], 1, Sampling(max_tokens=2), i) for i in range(2000)]
    decoded = engine.metrics.decoded
    answers = asyncio.run(crowd(engine, asked))
    assert len(answers) == 2000
    assert engine.metrics.waiting == 0
    assert engine.metrics.decoded - decoded == sum(len(c.tokens) for answer in answers for c in answer)


def test_bad_requests(engine):
    for prompt, n in (([], 1), ([64], 1), ([-1], 1), ([3], 0)):
        with pytest.raises(ValueError, match=r"cannot complete|outside the vocabulary"):
            asyncio.run(crowd(engine, [(prompt, n, GREEDY, 0)]))
    with pytest.raises(RuntimeError, match="does not run"):
        asyncio.run(engine.generate([3], 1, GREEDY, 0))
    with pytest.raises(ValueError, match="impossible"):
        Sampling(temperature=-1)
    with pytest.raises(ValueError, match="tuple of texts"):
        Sampling(stop="word")
    with pytest.raises(ValueError, match="need an engine"):
        asyncio.run(crowd(engine, [([3], 1, Sampling(stop=("word",)), 0)]))


def test_stop_texts_end_a_completion_where_its_text_contains_them(config, params, mesh, sizes):
    """A token's text is its number and a blank, so that "7 2" lies across two tokens and ends in the middle of one."""

    def text(tokens):
        return "".join(f"{token} " for token in tokens)

    engine = PolicyEngine(config, params, sizes, (), mesh, decode=text)
    plain, stop = Sampling(max_tokens=30), ("7 2", "0 4", "6 1", "33")
    prompts = [[3 + i, 4] for i in range(20)]
    whole = asyncio.run(crowd(engine, [(prompt, 2, plain, 5) for prompt in prompts]))
    stopped = asyncio.run(crowd(engine, [(p, 2, dataclasses.replace(plain, stop=stop), 5) for p in prompts]))
    cut = 0
    for one, other in zip(itertools.chain(*whole), itertools.chain(*stopped), strict=True):
        first = [end for end in range(1, 31) if any(x in text(one.tokens[:end]) for x in stop)][:1]
        cut += bool(first)
        assert other.tokens == one.tokens[: first[0] if first else 30]
        assert other.finish == ("stop" if first else "length")
        assert first or other == one
        assert first == [] or 0 > other.logprob >= one.logprob
    assert 5 < cut < 40


def test_a_failure_reaches_every_waiter(config, params, mesh, sizes, monkeypatch):
    engine = PolicyEngine(config, params, sizes, STOP_IDS, mesh)

    def burn(*_):
        raise OSError("the device burns")

    monkeypatch.setattr(engine._programs, "decode", burn)

    async def run():
        async with engine:
            assert not engine.failed
            tasks = [asyncio.create_task(engine.generate([3], 1, GREEDY, i)) for i in range(50)]
            results = await asyncio.gather(*tasks, return_exceptions=True)
            assert engine.failed
            assert all(isinstance(r, RuntimeError) and isinstance(r.__cause__, OSError) for r in results)
            await engine.generate([3], 1, GREEDY, 0)

    with pytest.raises(RuntimeError, match="the engine has failed"):
        asyncio.run(run())


def test_closing_ends_those_who_wait(engine):
    async def run():
        async with engine:
            task = asyncio.create_task(engine.generate([3], 4, Sampling(max_tokens=60), 0))
            await asyncio.sleep(0)
        with pytest.raises(RuntimeError, match="closed"):
            await task
        async with engine:
            return await engine.generate([3], 1, GREEDY, 0)

    assert asyncio.run(run())[0].tokens


def test_cancelled_requests_leave(engine):
    async def run():
        async with engine:
            tasks = [asyncio.create_task(engine.generate([3, i], 4, GREEDY, i)) for i in range(3, 40)]
            await asyncio.sleep(0.01)
            for task in tasks[::2]:
                task.cancel()
            kept = await asyncio.gather(*tasks[1::2])
            assert all(len(answer) == 4 for answer in kept)
            while not engine.scheduler.idle:
                await asyncio.sleep(0.01)

    asyncio.run(run())
