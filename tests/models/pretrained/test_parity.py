"""The numbers of `transformers` on random weights of every family: whole, by parts, padded, packed, and far out."""

from __future__ import annotations

import asyncio
import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import PartitionSpec as P

from rstar_jax.inference.config import EngineConfig, Sampling
from rstar_jax.inference.engine import PolicyEngine
from rstar_jax.models import decoder
from rstar_jax.models.attention import attention
from rstar_jax.models.packed_rows import PackedRows, packed_mask
from rstar_jax.models.sharding import RULES, make_mesh
from rstar_jax.models.store import load_model
from tests.models.pretrained import families

torch = pytest.importorskip("torch")
FAMILIES = pytest.mark.parametrize("name", families.NAMES)
LENGTH, LONG = 40, 250  # the windows are 20 and 200, longrope changes at 64


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="module")
def made(folder):
    """name -> (model of transformers, its folder), each made once."""
    known = {}

    def get(name):
        if name not in known:
            known[name] = families.make(name, folder / name), folder / name
        return known[name]

    return get


def tokens_of(rows, length, seed=0):
    return np.random.default_rng(seed).integers(0, families.SIZES["vocab_size"], (rows, length))


def ours(config, params, tokens, positions=None, segments=None):
    tokens = jnp.asarray(tokens)
    positions = jnp.broadcast_to(jnp.arange(tokens.shape[1]), tokens.shape) if positions is None else positions
    segments = jnp.ones_like(tokens) if segments is None else jnp.asarray(segments)
    arrays = [jax.sharding.reshard(jnp.asarray(x), P(RULES.batch, None)) for x in (tokens, positions, segments)]
    hidden = decoder.hidden_states(config, params, arrays[0], PackedRows(*arrays[1:]))
    return np.asarray(decoder.logits(config, params, hidden))[..., : config.vocab_size]


def theirs(model, tokens, **more):
    with torch.no_grad():
        return model(torch.as_tensor(tokens), **{k: torch.as_tensor(v) for k, v in more.items()}).logits.float().numpy()


def close(found, expected, atol=1e-4):
    np.testing.assert_allclose(found, expected, atol=atol, rtol=0)
    assert expected.std() > 1  # or closeness would say nothing


@FAMILIES
def test_logits(made, name):
    model, path = made(name)
    tokens = tokens_of(3, LENGTH)
    config, params = load_model(path, max_length=64)
    close(ours(config, params, tokens), theirs(model, tokens))


@FAMILIES
def test_logits_far_out(made, name):
    model, path = made(name)
    tokens = tokens_of(1, LONG, 1)
    config, params = load_model(path)
    close(ours(config, params, tokens), theirs(model, tokens))


@pytest.mark.parametrize("name", families.MOSTLY_SLOW)
@pytest.mark.parametrize("side", ["left", "right"])
def test_padding_on_either_side(made, name, side):
    model, path = made(name)
    tokens, mask = tokens_of(2, LENGTH, 2), np.ones((2, LENGTH), int)
    mask[1, slice(0, 15) if side == "left" else slice(25, None)] = 0
    positions = np.maximum(mask.cumsum(1) - 1, 0)
    config, params = load_model(path, max_length=64)
    found = ours(config, params, tokens, jnp.asarray(positions), mask)
    expected = theirs(model, tokens, attention_mask=mask, position_ids=positions)
    close(found[mask > 0], expected[mask > 0])


@pytest.mark.parametrize("name", families.MOSTLY_SLOW)
def test_packed_rows(made, name):
    """Two texts in one row are what they are alone."""
    model, path = made(name)
    tokens = tokens_of(1, 44, 3)
    segments, positions = np.array([[1] * 14 + [2] * 30]), np.array([[*range(14), *range(30)]])
    config, params = load_model(path, max_length=64)
    found = ours(config, params, tokens, jnp.asarray(positions), segments)
    close(found[:, :14], theirs(model, tokens[:, :14]))
    close(found[:, 14:], theirs(model, tokens[:, 14:]))


@pytest.mark.parametrize("name", ["qwen2", "qwen3", "llama3", "phi3", "phi3-partial"])
def test_every_part_of_a_layer(made, name):
    model, path = made(name)
    config, params = load_model(path, max_length=64)
    block = jax.tree.map(lambda leaf: leaf[1], params["blocks"])
    graph = decoder._abstract(config, "lm")[0]
    module = decoder.nnx.merge(graph, block)
    peer = model.model.layers[1]
    x = np.random.default_rng(4).standard_normal((2, LENGTH, config.d_model)).astype(np.float32)
    placed = jax.sharding.reshard(jnp.asarray(x), P(RULES.batch, None, None))
    positions = jnp.broadcast_to(jnp.arange(LENGTH), (2, LENGTH))
    positions = jax.sharding.reshard(positions, P(RULES.batch, None))
    mask = packed_mask(PackedRows(positions, jnp.ones_like(positions)), config.window)
    norm = decoder.rms_norm(placed, block["attention_norm"], config.norm_eps)
    with torch.no_grad():
        torch_x = torch.as_tensor(x)
        embeddings = model.model.rotary_emb(torch_x, torch.arange(LENGTH)[None])
        bias = torch.where(torch.as_tensor(np.array(mask))[:, None], 0.0, -1e30)
        normed = peer.input_layernorm(torch_x)
        attended = peer.self_attn(hidden_states=normed, position_embeddings=embeddings, attention_mask=bias)[0]
        mlp = peer.mlp(torch_x)
        whole = peer(torch_x, position_embeddings=embeddings, attention_mask=bias)
        whole = whole[0] if isinstance(whole, tuple) else whole
    by = decoder.turn(config, positions)
    q, k, v = module.attention.qkv(norm, by)
    heads = attention(q, k, v, mask)
    np.testing.assert_allclose(norm, normed, atol=1e-5)
    np.testing.assert_allclose(module.attention.project(heads), attended, atol=1e-4)
    np.testing.assert_allclose(module.mlp(placed), mlp, atol=1e-4)
    np.testing.assert_allclose(module(placed, by, functools.partial(attention, mask=mask)), whole, atol=1e-4)


@pytest.mark.parametrize("name", families.MOSTLY_SLOW)
def test_bfloat16_is_as_close_as_theirs(made, name, folder):
    """Both round to 8 bits in other places: neither may be further from float32 than twice the other."""
    model, _ = made(name)
    tokens = tokens_of(2, LENGTH, 5)
    exact = theirs(model, tokens)
    rounded = families.make(name, folder / f"{name}-bf16", torch.bfloat16)
    config, params = load_model(folder / f"{name}-bf16", max_length=64)
    assert config.compute_dtype == "bfloat16"
    assert all(leaf.dtype == jnp.bfloat16 for leaf in jax.tree.leaves(params))
    errors = [np.abs(x - exact).mean() for x in (ours(config, params, tokens), theirs(rounded, tokens))]
    assert errors[0] < 2 * errors[1]


@pytest.mark.parametrize("name", families.MOSTLY_SLOW)
def test_200_greedy_tokens_through_the_engine(made, name):
    model, path = made(name)
    mesh, prompts = make_mesh(), tokens_of(2, 9, 6)
    config, params = load_model(path, mesh, stacked=False)
    engine = PolicyEngine(config, params, EngineConfig(max_length=256, pages=64, rows=(16,), tokens=(64,)), (), mesh)

    async def generate():
        async with engine:
            sampling = Sampling(temperature=0.0, max_tokens=200)
            return [(await engine.generate(prompt, 1, sampling, 0))[0] for prompt in prompts]

    for prompt, found in zip(prompts, asyncio.run(generate()), strict=True):
        expected = greedy(model, prompt, 200, whole=name == "phi3-long")
        assert list(found.tokens) == expected


def greedy(model, prompt, count, whole):
    """By `transformers`. With longrope its cache mixes two kinds of keys: there the whole text is run every time."""
    tokens = [int(token) for token in prompt]
    if not whole:
        more = model.generate(torch.as_tensor(prompt)[None], max_new_tokens=count, do_sample=False, use_cache=True)
        return more[0, len(prompt) :].tolist()
    for _ in range(count):
        padded = np.array([[*tokens, *[0] * (LONG - len(tokens))]])
        tokens.append(int(theirs(model, padded)[0, len(tokens) - 1].argmax()))
    return tokens[len(prompt) :]


def test_the_padding_of_the_vocabulary_is_never_drawn(made):
    _, path = made("qwen2")
    config, params = load_model(path)
    assert (config.vocab_size, config.rows) == (99, 128)
    hidden = jax.random.normal(jax.random.key(0), (4, config.d_model))
    logits = decoder.logits(config, params, hidden)
    assert logits.shape == (4, 128)
    assert float(jax.nn.softmax(100 * logits)[:, 99:].max()) == 0
    np.testing.assert_array_equal(params["outer"]["embed"][99:], 0)


def test_longrope_takes_its_factors_by_the_context_that_is_meant(made):
    _, path = made("phi3-long")
    (short, _), (long, _) = load_model(path, max_length=64), load_model(path)
    frequencies = [c.rope_scaling.frequencies(c.rope_theta, c.rope_width, c.max_length) for c in (short, long)]
    assert (frequencies[0] > frequencies[1] * 1.05)[1:].all()
    assert dataclasses.replace(short, max_length=long.max_length) == long
