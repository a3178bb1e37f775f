"""FLOPs: the formula against a count by hand, and against what XLA counts in a compiled model."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rstar_jax.datasets.packing import TokenisedSolution, pack_sft
from rstar_jax.datasets.pair_packing import Group, pack_pairs
from rstar_jax.models import decoder
from rstar_jax.models.attention import attention
from rstar_jax.models.config import ModelConfig
from rstar_jax.models.packed_rows import PackedRows, packed_mask
from rstar_jax.training.flops import causal, forward_flops, hardware_flops, seen_keys, train_flops


def test_a_count_by_hand() -> None:
    """Two layers, D 6, four query heads and two kv heads of width 2, F 10, 50 tokens; texts of 3 and 5."""
    config = ModelConfig(vocab_size=50, d_model=6, n_layers=2, n_heads=4, n_kv_heads=2, head_dim=2, d_ff=10)
    q_and_o, k_and_v, mlp = 6 * 8 + 8 * 6, 2 * (6 * 4), 3 * (6 * 10)
    in_layers = 2 * (q_and_o + k_and_v + mlp)  # 648 parameters in matrix products
    assert in_layers == 648
    seen = 3 * 3 / 2 + 5 * 5 / 2  # 17
    attention_forward = 2 * (2 * 17 * 8 + 2 * 17 * 8)  # two layers; q with k and weights with v, width 4 * 2
    lm = 6 * (648 + 6 * 50) * 8 + 3 * attention_forward
    assert train_flops(config, "lm", 8, seen) == lm == 45504 + 3264
    assert train_flops(config, "value", 8, seen) == 6 * (648 + 6) * 8 + 3 * attention_forward
    assert train_flops(config, "lm", 8, seen, 5) == lm - 6 * 6 * 50 * 3
    assert hardware_flops(config, "lm", 8, seen, "none") == lm
    assert hardware_flops(config, "lm", 8, seen, "full") == lm + 2 * 648 * 8 + attention_forward


def test_keys_that_packed_rows_show() -> None:
    texts = [TokenisedSolution([1] * n, [True] * n) for n in (3, 5, 7)]
    rows = pack_sft(texts, 16).arrays
    assert seen_keys(rows) == causal(3) + causal(5) + causal(7) == (9 + 25 + 49) / 2
    by_hand = sum(min(place + 1, 4) - 0.5 for n in (3, 5, 7) for place in range(n))
    assert seen_keys(rows, window=4) == by_hand == causal(3, 4) + causal(5, 4) + causal(7, 4)


def test_keys_that_branches_show() -> None:
    """As many as the mask lets through, of the diagonal half."""
    trunk = [1, 2, 3, 4]
    group = Group([[*trunk, 5, 6], [*trunk, 7, 8, 9]], [(0, 1, 1.0)])
    rows = pack_pairs([group], 16).arrays
    mask = np.asarray(packed_mask(PackedRows.of(jax.tree.map(jnp.asarray, rows))))
    assert seen_keys(rows) == mask.sum() - np.count_nonzero(rows["segments"]) / 2


@pytest.mark.parametrize("tied", [True, False])
def test_what_xla_counts(tied: bool, random_params) -> None:
    """Layers one behind the other (XLA counts a loop's body once), every query with every key, as they are computed."""
    config = ModelConfig(
        vocab_size=256, d_model=64, n_layers=2, n_heads=4, n_kv_heads=2, head_dim=16, d_ff=192, tie_embeddings=tied
    )
    params = decoder.unstacked(config, random_params(config, "lm"))
    n_rows, length = 2, 64
    positions = jnp.broadcast_to(jnp.arange(length), (n_rows, length))
    mask = packed_mask(PackedRows(positions, jnp.ones_like(positions)))

    def loss(params: decoder.Params, tokens: jax.Array) -> jax.Array:
        attend = lambda q, k, v, cache: (attention(q, k, v, mask), cache)  # noqa: E731
        hidden, _ = decoder.cached_hidden_states(config, params, tokens, positions, [None, None], attend)
        return jnp.sum(decoder.logits(config, params, hidden) ** 2)

    tokens = jnp.ones((n_rows, length), jnp.int32)
    forward, both = (
        jax.jit(fn).lower(params, tokens).compile().cost_analysis()["flops"] for fn in (loss, jax.grad(loss))
    )
    seen = n_rows * length**2
    assert forward_flops(config, "lm", n_rows * length, seen).total == pytest.approx(forward, rel=0.06)
    assert train_flops(config, "lm", n_rows * length, seen) == pytest.approx(both, rel=0.06)
