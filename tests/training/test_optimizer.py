"""Schedules and the optimizer in closed form."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rstar_jax.models.decoder import logical_axes
from rstar_jax.training.optimizer import TrainConfig, learning_rate, make_optimizer


@pytest.mark.parametrize(
    ("schedule", "rates"),
    [
        ("linear", [1, 0.75, 0.5, 0.25]),
        ("cosine", [1, 0.8535534, 0.5, 0.1464466]),
        ("constant", [1, 1, 1, 1]),
    ],
)
def test_decay_ends_at_zero_after_the_last_step(schedule, rates: list[float]) -> None:
    config = TrainConfig(learning_rate=2.0, schedule=schedule)
    assert [learning_rate(config, 4, step) / 2 for step in range(4)] == pytest.approx(rates)


def test_warmup_rises_to_the_peak() -> None:
    config = TrainConfig(learning_rate=1.0, warmup=0.3)
    rates = [learning_rate(config, 10, step) for step in range(10)]
    assert rates[:4] == pytest.approx([0.25, 0.5, 0.75, 1.0])
    assert rates == sorted(rates[:4]) + sorted(rates[4:], reverse=True)


def test_the_first_update_is_the_sign_and_decays_matrices_only(model) -> None:
    config = TrainConfig(weight_decay=0.1, clip_norm=1e9)
    axes = logical_axes(model, "value")
    ones = jax.tree.map(
        lambda names: jnp.ones((2,) * len(names)), axes, is_leaf=lambda x: isinstance(x, tuple)
    )
    adam = make_optimizer(config, axes)
    updates, _ = adam.update(ones, adam.init(ones), ones)
    outer, block = updates["outer"], updates["blocks"]
    decayed = [outer["embed"], block["attention"]["q"], block["attention"]["o"], block["mlp"]["down"]]
    plain = [outer["final_norm"], outer["value_weight"], block["attention"]["q_bias"], block["mlp_norm"]]
    assert all(np.allclose(update, 1.1, atol=1e-4) for update in decayed)
    assert all(np.allclose(update, 1.0, atol=1e-4) for update in plain)


def test_nonsense_is_refused() -> None:
    with pytest.raises(ValueError, match="batch_size"):
        TrainConfig(batch_size=0)
