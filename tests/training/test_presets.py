"""The published hyper-parameters, number by number."""

from __future__ import annotations

import dataclasses
import inspect

import pytest

from rstar_jax.training import optimizer, ppm, pqm, sft
from rstar_jax.training.optimizer import TrainConfig

# Columns: epochs, batch, tokens of a row, peak rate, decay, weight decay. The first five of the paper's are its own
# (A.1), but for the PPM's length and decay; the rest are the released code's (README, train_SFT.py, train_RM.py), but
# for the rate of its PPM.
TABLE = {
    "PAPER_POLICY": (2, 128, 4096, 7e-6, "linear", 0.1),
    "PAPER_POLICY_PHI3": (2, 128, 4096, 5e-6, "cosine", 0.1),
    "PAPER_PPM": (1, 512, 4096, 7e-6, "linear", 0.0),
    "PAPER_ORM": (1, 512, 4096, 7e-6, "linear", 0.0),
    "PAPER_PQM": (1, 512, 4096, 7e-6, "linear", 0.0),
    "RELEASED_POLICY": (2, 128, 2048, 7e-6, "linear", 0.1),
    "RELEASED_PPM": (2, 512, 2048, 7e-6, "linear", 0.0),
}
# In all of them: the defaults of the Trainer that the released code uses, and no warm-up.
COMMON = {"optimizer": "adamw", "warmup": 0.0, "b1": 0.9, "b2": 0.999, "eps": 1e-8, "clip_norm": 1.0}


def preset(name: str) -> TrainConfig:
    return getattr(optimizer, name)


@pytest.mark.parametrize("name", TABLE)
def test_every_number(name: str) -> None:
    found = preset(name)
    fields = ("epochs", "batch_size", "row_length", "learning_rate", "schedule", "weight_decay")
    assert tuple(getattr(found, field) for field in fields) == TABLE[name]
    assert {field: getattr(found, field) for field in COMMON} == COMMON
    assert found.max_steps is None


def test_no_preset_is_missing_from_the_table() -> None:
    assert {name for name, value in vars(optimizer).items() if isinstance(value, TrainConfig)} == TABLE.keys()


def test_training_takes_the_papers_by_default() -> None:
    for train, name in (
        (sft.train_policy, "PAPER_POLICY"), (ppm.train_ppm, "PAPER_PPM"), (pqm.train_pqm, "PAPER_PQM")
    ):
        assert inspect.signature(train).parameters["config"].default == preset(name)


def test_losses_and_heads() -> None:
    assert dataclasses.astuple(ppm.PAPER_LOSS) == ("tanh", "mean")  # section 3.3, Eq 4
    assert dataclasses.astuple(ppm.RELEASED_LOSS) == ("raw", "released")  # upstream items 58, 59
    assert dataclasses.astuple(ppm.RELEASED_HEAD) == (0.1, 5e-7, 1e-6, 1e-6)  # item 60
    assert dataclasses.astuple(ppm.ZERO_HEAD) == (0.0, 0.0, 0.0, 0.0)
