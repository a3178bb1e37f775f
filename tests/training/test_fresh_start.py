"""From rows of text to two models, as the rounds do it: a policy from nothing, then a PPM from the policy."""

from __future__ import annotations

import jax
import numpy as np

from rstar_jax.datasets.packing import pack_sft, tokenise_sft
from rstar_jax.datasets.pair_packing import group_pairs, pack_pairs
from rstar_jax.files import read_json
from rstar_jax.models.config import ModelConfig
from rstar_jax.models.store import describe, load_model
from rstar_jax.training.optimizer import TrainConfig
from rstar_jax.training.ppm import RELEASED_LOSS, train_ppm
from rstar_jax.training.sft import train_policy
from rstar_jax.trajectory.prompts import policy_prompt
from rstar_jax.trajectory.tokenizer import load_tokenizer, train_tokenizer

SFT_ROWS = [
    {
        "query": f"Double {n}.",
        "response": f"<code>\nprint({n} * 2)\n<end_of_code>\n<output>{2 * n}<end_of_output>",
    }
    for n in range(12)
]
PAIR_ROWS = [
    {
        "prompt": policy_prompt(f"Double {n}."),
        "pos": f"<code>\nprint({n} * 2)\n<end_of_code>",
        "neg": f"<code>\nprint({n} * 3)\n<end_of_code>",
        "pos_count": 1,
        "neg_count": 1,
    }
    for n in range(12)
]


def test_policy_then_ppm(tmp_path) -> None:
    tokenizer = train_tokenizer([row["response"] for row in SFT_ROWS], 320)
    model = ModelConfig(
        vocab_size=tokenizer.vocab_size, d_model=8, n_layers=1, n_heads=2, n_kv_heads=1, head_dim=4, d_ff=8
    )
    config = TrainConfig(epochs=1, batch_size=6, row_length=256, remat="none")
    solutions = pack_sft(tokenise_sft(SFT_ROWS, tokenizer), config.row_length)
    pairs = pack_pairs(group_pairs(PAIR_ROWS, tokenizer), config.row_length)
    policy = train_policy(solutions, model, tmp_path / "policy", tokenizer, config=config)
    ppm = train_ppm(pairs, model, tmp_path / "ppm", tokenizer, init=policy, config=config, rule=RELEASED_LOSS)
    for name, head in (("policy", "lm"), ("ppm", "value")):
        found = describe(tmp_path / name)
        assert (found.config, found.head) == (model, head)
    assert read_json(tmp_path / "ppm" / "config.json")["squash"] == "raw"
    assert load_tokenizer(tmp_path / "ppm").encode("Double 7.") == tokenizer.encode("Double 7.")
    jax.tree.map(np.testing.assert_array_equal, load_model(tmp_path / "ppm")[1], ppm)
    assert not any(leaf.is_deleted() for leaf in jax.tree.leaves(policy))
