"""Remat policies change what is kept, and nothing else."""

from __future__ import annotations

import functools
from typing import get_args

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rstar_jax.models import decoder
from rstar_jax.models.config import ModelConfig
from rstar_jax.models.packed_rows import PackedRows
from rstar_jax.models.remat import Remat, with_remat

SMALL = ModelConfig(vocab_size=48, d_model=32, n_layers=2, n_heads=4, n_kv_heads=2, head_dim=8, d_ff=64)
# Deep enough that what layers keep is most of what a step needs.
DEEP = ModelConfig(vocab_size=64, d_model=64, n_layers=12, n_heads=4, n_kv_heads=2, head_dim=16, d_ff=192)


def loss(config: ModelConfig, params: decoder.Params, tokens: jax.Array, remat: Remat) -> jax.Array:
    rows = PackedRows(jnp.broadcast_to(jnp.arange(tokens.shape[1]), tokens.shape), jnp.ones_like(tokens))
    return jnp.sum(decoder.hidden_states(config, params, tokens, rows, remat) ** 2)


@functools.cache
def loss_and_gradient(remat: Remat):
    params = decoder.init_params(SMALL, jax.random.key(1))
    tokens = jax.random.randint(jax.random.key(0), (2, 8), 0, SMALL.vocab_size)
    return jax.jit(jax.value_and_grad(functools.partial(loss, SMALL, remat=remat)))(params, tokens)


@pytest.mark.parametrize("remat", get_args(Remat))
def test_a_policy_changes_neither_loss_nor_gradient(remat):
    close = functools.partial(np.testing.assert_allclose, rtol=1e-4, atol=1e-4)
    jax.tree.map(close, loss_and_gradient(remat), loss_and_gradient("none"))


def temporaries(remat: Remat) -> int:
    params = jax.eval_shape(lambda: decoder.init_params(DEEP, jax.random.key(1)))
    tokens = jax.ShapeDtypeStruct((4, 64), jnp.int32)
    compiled = jax.jit(jax.grad(functools.partial(loss, DEEP, remat=remat))).lower(params, tokens).compile()
    memory = compiled.memory_analysis()
    assert memory is not None
    return memory.temp_size_in_bytes


def test_what_is_kept_falls_as_promised():
    """Between two policies the temporaries differ by what the layers keep more: the table of `models.remat`."""
    D, F, layers_tokens = DEEP.d_model, DEEP.d_ff, DEEP.n_layers * 4 * 64
    heads, both = DEEP.n_heads * DEEP.head_dim, (DEEP.n_heads + DEEP.n_kv_heads) * DEEP.head_dim
    sums = DEEP.n_heads  # of the softmax, their logarithms
    kept = {"full": D, "attention": D + heads + sums, "products": 2 * D + 2 * both + 2 * F + sums}
    found = {remat: temporaries(remat) for remat in ("none", "products", "attention", "full")}
    assert found["none"] > found["products"] > found["attention"] > found["full"]
    for remat in ("attention", "products"):
        more = 4 * layers_tokens * (kept[remat] - kept["full"])
        assert found[remat] - found["full"] == pytest.approx(more, rel=0.1)


def test_an_unknown_policy_is_refused():
    with pytest.raises(ValueError, match="none of none, products"):
        with_remat(lambda x: x, "all")  # pyright: ignore[reportArgumentType]
