"""What FSDP needs is told from what is surplus."""

from __future__ import annotations

import collections
import dataclasses

import pytest

from rstar_jax.ahead_of_time.collectives import classify, mesh_axes
from rstar_jax.ahead_of_time.hlo import Collective
from rstar_jax.ahead_of_time.roofline import Mesh3
from rstar_jax.ahead_of_time.training import Step
from rstar_jax.models.config import ModelConfig
from rstar_jax.training.optimizer import TrainConfig

MODEL = ModelConfig(
    vocab_size=1000, d_model=64, n_layers=3, n_heads=4, n_kv_heads=2, head_dim=16, d_ff=128, tie_embeddings=False
)
STEP = Step("sft", TrainConfig(row_length=8), 8)
FSDP = Mesh3(1, 8, 1)
EVERYWHERE = tuple(range(8))
MLP, EMBEDDING = 64 * 128, 1000 * 64


def exchange(kind: str, elements: int, times: int, group: tuple[int, ...] = EVERYWHERE) -> Collective:
    return Collective(kind, elements, 2 * elements, group, times, "")


def purposes(*found: Collective, model: ModelConfig = MODEL, step: Step = STEP, mesh: Mesh3 = FSDP) -> dict[str, int]:
    counts: collections.Counter[str] = collections.Counter()
    for one in classify(found, model, step, mesh):
        counts[one.purpose] += one.collective.times
    return dict(counts)


@pytest.mark.parametrize(
    ("group", "axes"),
    [
        ((0, 1), ("tensor",)),
        ((0, 2, 4), ("fsdp",)),
        ((0, 6), ("data",)),
        ((0, 2, 4, 6, 8, 10), ("data", "fsdp")),
        ((), ("data", "fsdp", "tensor")),
    ],
)
def test_axes(group, axes):
    assert mesh_axes(group, Mesh3(2, 3, 2)) == axes


def test_what_fsdp_needs():
    found = (
        exchange("all-gather", MLP, 3 * 3 * 2),  # three matrices, three layers, both passes
        exchange("reduce-scatter", MLP, 3 * 3),
        exchange("all-gather", EMBEDDING, 3),  # the embedding once, the head twice
        exchange("reduce-scatter", EMBEDDING, 2),
        exchange("all-reduce", 64, 3 * 3 + 1),  # norms, biases of q
        exchange("all-reduce", 1, 7),
    )
    assert purposes(*found) == {"weights": 21, "gradients": 21, "scalars": 7}


def test_twice_as_many_are_half_surplus():
    assert purposes(exchange("all-gather", MLP, 36)) == {"weights": 18, "surplus": 18}
    assert purposes(exchange("all-gather", MLP, 18), exchange("all-gather", MLP, 1)) == {"weights": 18, "surplus": 1}
    assert purposes(exchange("reduce-scatter", EMBEDDING, 8)) == {"gradients": 2, "surplus": 6}


def test_more_microbatches_need_more():
    step = dataclasses.replace(STEP, run=dataclasses.replace(STEP.run, microbatches=2))
    assert purposes(exchange("all-gather", MLP, 36), step=step) == {"weights": 36}


def test_a_tied_embedding_is_gathered_three_times():
    tied = dataclasses.replace(MODEL, tie_embeddings=True)
    assert purposes(exchange("all-gather", EMBEDDING, 4), model=tied) == {"weights": 3, "surplus": 1}
    assert purposes(exchange("reduce-scatter", EMBEDDING, 3), model=tied) == {"gradients": 2, "surplus": 1}
    assert purposes(exchange("all-reduce", EMBEDDING, 3), model=tied, mesh=Mesh3(8, 1, 1)) == {
        "gradients": 2,
        "surplus": 1,
    }


def test_surplus():
    activations = 8 * 8 * 64 + 8
    assert purposes(exchange("all-gather", activations, 3)) == {"surplus": 3}
    assert purposes(exchange("all-to-all", MLP, 1)) == {"surplus": 1}


def test_a_gather_by_all_reduce_is_needed_but_doubled():
    assert purposes(exchange("all-reduce", MLP, 18 + 9 + 2)) == {"doubled": 27, "surplus": 2}


def test_sums_over_data_and_exchanges_over_tensor():
    mesh = Mesh3(2, 2, 2)
    assert purposes(exchange("all-reduce", MLP // 2 // 2, 9, (0, 4)), mesh=mesh) == {"gradients": 9}
    assert purposes(exchange("all-reduce", 8 * 8 * 64, 18, (0, 1)), mesh=mesh) == {"tensor": 18}
