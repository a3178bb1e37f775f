"""The PQM's loss: closed forms, rows that are solutions by themselves, and a model that learns."""

from __future__ import annotations

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rstar_jax.datasets.value_packing import ValuedSolution, pack_values
from rstar_jax.files import read_json, read_jsonl
from rstar_jax.inference.adapters import squash_of
from rstar_jax.models import decoder
from rstar_jax.models.packed_rows import PackedRows
from rstar_jax.models.store import describe
from rstar_jax.training.batches import DROPOUT_KEYS, dropout_keys
from rstar_jax.training.optimizer import TrainConfig
from rstar_jax.training.ppm import PpmHead
from rstar_jax.training.pqm import pqm_loss, train_pqm, value_loss
from rstar_jax.trajectory.tokenizer import train_tokenizer

jit = functools.partial(jax.jit, compiler_options={"xla_backend_optimization_level": 0})


@pytest.fixture(scope="module")
def values() -> list[ValuedSolution]:
    """Thirty solutions of one to four steps; a step is as good as its last token is high."""
    random = np.random.default_rng(0)

    def solution() -> ValuedSolution:
        steps = [random.integers(1, 60, random.integers(2, 8)).tolist() for _ in range(random.integers(1, 5))]
        ends = 2 + np.cumsum([len(step) for step in steps])
        targets = [(int(end), step[-1] / 30 - 1) for end, step in zip(ends, steps, strict=True)]
        return ValuedSolution([60, 61, 62, *itertools.chain.from_iterable(steps)], targets)

    return [solution() for _ in range(30)]


def test_the_squared_distance_of_each_solution_and_their_mean() -> None:
    # Two solutions in one row: two steps with Q 1 and -1/2, and one step with Q 0.
    scores = jnp.asarray([[9.0, 0.5, 9.0, -1.0, 0.25, 9.0]])
    q = jnp.asarray([[0.0, 1.0, 0.0, -0.5, 0.0, 0.0]])
    weights = jnp.asarray([[0.0, 0.5, 0.0, 0.5, 1.0, 0.0]])
    total, sums = value_loss(scores, {"q": q, "step_weights": weights})
    first = [np.tanh(0.5) - 1, np.tanh(-1) + 0.5]
    second = np.tanh(0.25)
    assert sums["weight"] == 2
    assert total / 2 == pytest.approx((np.square(first).sum() + second**2) / 2)  # Eq 6
    assert sums["error"] / 2 == pytest.approx((np.abs(first).mean() + second) / 2)
    assert sums["accuracy"] / 2 == pytest.approx((1 + 0.5) / 2)


@pytest.fixture(scope="module")
def params(model, random_params) -> decoder.Params:
    return random_params(model, "value")


def test_packed_solutions_are_solutions_by_themselves(model, params, values) -> None:
    packed = pack_values(values, 64)
    assert packed.arrays["segments"].max() > 1
    rows = packed.rows(np.asarray([-1, *range(packed.n_rows)]))

    @jit
    def by_packing(params):
        def loss(params):
            total, sums = pqm_loss(model, params, jax.tree.map(jnp.asarray, rows))
            return total / sums["weight"]

        return jax.value_and_grad(loss)(params)

    tokens = np.zeros((len(values), max(len(one.tokens) for one in values)), np.int32)
    is_end, q = np.zeros(tokens.shape, bool), np.zeros(tokens.shape)
    for row, one in enumerate(values):
        tokens[row, : len(one.tokens)] = one.tokens
        for place, value in one.targets:
            is_end[row, place], q[row, place] = True, value

    @jit
    def by_themselves(params):
        def loss(params):
            positions = jnp.broadcast_to(jnp.arange(tokens.shape[1]), tokens.shape)
            alone = PackedRows(positions, jnp.ones_like(positions))
            hidden = decoder.hidden_states(model, params, jnp.asarray(tokens), alone)
            found = jnp.tanh(decoder.values(params, hidden))
            return jnp.sum(is_end * (found - q) ** 2) / len(values)

        return jax.value_and_grad(loss)(params)

    close = functools.partial(np.testing.assert_allclose, rtol=1e-5, atol=1e-5)
    jax.tree.map(close, by_packing(params), by_themselves(params))


def test_dropout_acts_in_training_only(model, params, values) -> None:
    batch = pack_values(values[:4], 64).arrays
    loss = jit(lambda batch, rate: pqm_loss(model, params, batch, dropout=rate)[0], static_argnums=1)
    keyed = batch | {DROPOUT_KEYS: dropout_keys(0, 0, len(batch["tokens"]))}
    assert loss(batch, 0.5) == loss(batch, 0.0) != loss(keyed, 0.5)


def test_what_it_leaves_is_a_scorer_like_a_ppm(model, random_params, values, tmp_path) -> None:
    data = pack_values(values, 64)
    config = TrainConfig(epochs=12, batch_size=10, row_length=64, learning_rate=3e-2, remat="none", weight_decay=0.0)
    tokenizer, head = train_tokenizer([], 300), PpmHead(dropout=0.01)
    policy, judged = random_params(model, "lm"), pack_values(values[:7], 64)
    train_pqm(data, model, tmp_path, tokenizer, init=policy, config=config, head=head, held_out=judged)
    lines = read_jsonl(tmp_path / "metrics.jsonl")
    losses = [line["loss"] for line in lines if "loss" in line]
    assert losses[-1] < 0.3 * losses[0]
    found = describe(tmp_path)
    assert (found.head, found.settings["squash"], found.settings["objective"]) == ("value", "tanh", "pqm")
    assert squash_of(found.settings) == "tanh"
    assert read_json(tmp_path / "config.json")["value_head"]["dropout"] == 0.01
    last = [line for line in lines if "held_out_loss" in line][-1]
    assert set(last) >= {"held_out_error", "held_out_accuracy"}


def test_how_search_reads_scores() -> None:
    assert squash_of({"squash": "tanh"}) == "tanh"
    assert squash_of({"squash": "raw"}) == squash_of({}) == "tanh5"
    with pytest.raises(KeyError):
        squash_of({"squash": "sigmoid"})
