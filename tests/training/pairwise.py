"""The pairwise form of the PPM loss, and a check of the packed form on a mesh against it.

`python pairwise.py`, with eight CPU devices, prints "equal" at the end; anything else is a failure
(`test_pairwise.py` starts it).
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from rstar_jax.datasets.pair_packing import Group, pack_pairs
from rstar_jax.models import decoder
from rstar_jax.models.config import ModelConfig
from rstar_jax.models.decoder import Params, init_params
from rstar_jax.models.packed_rows import PackedRows
from rstar_jax.models.sharding import make_mesh
from rstar_jax.models.store import abstract_params
from rstar_jax.training.batches import to_devices
from rstar_jax.training.ppm import PAPER_LOSS, RELEASED_LOSS, PpmLoss, ppm_loss, ranking_loss, token_scores

MODEL = ModelConfig(
    vocab_size=64, d_model=16, n_layers=2, n_heads=4, n_kv_heads=2, head_dim=8, d_ff=32, init_scale=0.5
)
RULES = [PpmLoss(*both) for both in itertools.product(("tanh", "raw"), ("mean", "released"))]
ROW_LENGTH = 96

Batch = dict[str, Any]
LossAndGradient = tuple[Any, Params]


def groups() -> list[Group]:
    """Two better and two worse texts, one and four, or one and one, behind trunks of any length, also none."""
    random = np.random.default_rng(2)

    def group(number: int) -> Group:
        better, worse = [(2, 2), (1, 4), (1, 1)][number % 3]
        trunk = random.integers(1, 64, 0 if number == 4 else random.integers(2, 20)).tolist()
        texts = [[*trunk, first, *random.integers(1, 64, random.integers(0, 9)).tolist()] for first in range(1, 6)]
        pairs = itertools.product(range(better), range(better, better + worse))
        return Group(texts[: better + worse], [(i, j, 1 / (better * worse)) for i, j in pairs])

    return [group(number) for number in range(20)]


def random_params() -> Params:
    random = np.random.default_rng(0)
    shapes = jax.eval_shape(lambda: init_params(MODEL, jax.random.key(0), "value"))
    return jax.tree.map(lambda leaf: random.normal(0, 0.3, leaf.shape).astype(leaf.dtype), shapes)


def packed_rows() -> Batch:
    """All groups in rows of several, between rows of padding, in a number that eight devices can share."""
    packed = pack_pairs(groups(), ROW_LENGTH)
    assert packed.dropped == 0
    assert packed.arrays["segments"].max() > 2
    indices = [-1, *range(packed.n_rows), -1]
    return packed.rows(np.asarray(indices + [-1] * (-len(indices) % 4)))


def packed_losses(params: Params, batch: Batch) -> list[jax.Array]:
    """Under every rule, from one pass through the model, divided as a training step does."""
    scores = token_scores(MODEL, params, batch, remat="none", dropout=0.0)
    found = [ranking_loss(scores, batch, rule) for rule in RULES]
    return [total / sums["weight"] for total, sums in found]


def pair_losses(params: Params) -> list[jax.Array]:
    """The same, where both texts of every pair are run by themselves and the formulas are written down again."""
    pairs = [(group.texts[i], group.texts[j], weight) for group in groups() for i, j, weight in group.pairs]
    texts = [text for better, worse, _ in pairs for text in (better, worse)]
    tokens = np.zeros((len(texts), max(map(len, texts))), np.int32)
    is_last = np.zeros(tokens.shape, np.float32)
    for row, text in enumerate(texts):
        tokens[row, : len(text)], is_last[row, len(text) - 1] = text, 1
    weights = np.asarray([weight for *_, weight in pairs])
    positions = jnp.broadcast_to(jnp.arange(tokens.shape[1]), tokens.shape)
    alone = PackedRows(positions, jnp.ones_like(positions))
    hidden = decoder.hidden_states(MODEL, params, jnp.asarray(tokens), alone)
    raw = jnp.sum(decoder.values(params, hidden) * is_last, axis=1)

    def loss(rule: PpmLoss) -> jax.Array:
        scores = (jnp.tanh(raw) if rule.squash == "tanh" else raw).reshape(-1, 2)
        total = jnp.sum(weights * jnp.log1p(jnp.exp(scores[:, 1] - scores[:, 0])))
        if rule.reduction == "mean":  # Eq 4
            return total / len(groups())
        return total / (len(pairs) / 16)  # upstream item 58: sums over device batches of 16, then their mean

    return [loss(rule) for rule in RULES]


def each_with_gradient(losses: Callable[..., list[jax.Array]], *args: Any, **jit: Any) -> list[LossAndGradient]:
    """Every loss with its gradient by the first argument; all from one compiled function."""

    def chosen(params: Params, weights: jax.Array, *rest: Any) -> jax.Array:
        return sum(weight * loss for weight, loss in zip(weights, losses(params, *rest), strict=True))

    both = jax.jit(jax.value_and_grad(chosen), **jit)
    return [both(args[0], list(weights), *args[1:]) for weights in np.eye(len(RULES), dtype=np.float32)]


def assert_same(found: list[LossAndGradient], wanted: list[LossAndGradient]) -> None:
    close = functools.partial(np.testing.assert_allclose, rtol=1e-5, atol=1e-5)
    jax.tree.map(lambda a, b: close(np.asarray(a), np.asarray(b)), found, wanted)


if __name__ == "__main__":
    assert len(jax.devices()) == 8
    one, eight = make_mesh(), make_mesh(2, 2, 2)
    with jax.set_mesh(one):
        wanted = dict(zip(RULES, each_with_gradient(pair_losses, random_params()), strict=True))
    with jax.set_mesh(eight):
        places = jax.tree.map(lambda leaf: leaf.sharding, abstract_params(MODEL, "value", eight))
        params = jax.device_put(random_params(), places)
        batch = jax.tree.map(lambda rows: rows[0], to_devices(packed_rows(), 1, eight))
        assert len({str(shard.index) for shard in batch["tokens"].addressable_shards}) == 4  # over data and fsdp

        def loss(params: Params, batch: Batch, rule: PpmLoss) -> jax.Array:
            total, sums = ppm_loss(MODEL, params, batch, rule)
            return total / sums["weight"]

        found = [
            jax.jit(jax.value_and_grad(loss), static_argnums=2)(params, batch, rule)
            for rule in (PAPER_LOSS, RELEASED_LOSS)
        ]
    assert_same(found, [wanted[PAPER_LOSS], wanted[RELEASED_LOSS]])
    print("equal")
