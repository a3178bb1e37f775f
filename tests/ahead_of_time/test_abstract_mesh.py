"""Programs lower for 256 chips that nobody has, without libtpu: a layout that does not fit fails while tracing."""

from __future__ import annotations

import dataclasses
import math

import pytest

from rstar_jax.ahead_of_time.engine import lower_programs
from rstar_jax.ahead_of_time.training import Step, lower_step
from rstar_jax.inference.config import EngineConfig
from rstar_jax.models.published import PUBLISHED, published
from rstar_jax.models.sharding import abstract_mesh
from rstar_jax.training.optimizer import TrainConfig

FSDP, ALL_THREE = (1, 256, 1), (4, 32, 2)
EACH_KIND = ("qwen2.5-math-7b", "qwen3-0.6b", "phi-3-mini-4k")  # biases; norms of queries and keys, tied; a window
SIZES = EngineConfig(pages=128, page_size=64, block=64, tokens=(512,), rows=(64,), item=16, max_length=4096)


def lower_job(name: str, job: str, mesh: tuple[int, int, int]) -> None:
    model = dataclasses.replace(published(name), vocab_multiple=128, param_dtype="float32")
    assert math.prod(mesh) == 256
    if job in ("sft", "ppm"):
        text = lower_step(model, Step(job, TrainConfig(row_length=256), 256), abstract_mesh(*mesh)).as_text()
        assert "num_partitions = 256" in text
        return
    model = dataclasses.replace(model, n_layers=1)
    programs = lower_programs(model, "lm" if job == "decode" else "value", SIZES, abstract_mesh(*mesh), (1, 2))
    assert set(programs) == {"copy", "extend 512", *(["decode 64"] if job == "decode" else [])}
    assert all("tpu_custom_call" in lowered.as_text() for name, lowered in programs.items() if name != "copy")


@pytest.mark.parametrize("name", PUBLISHED)
def test_every_architecture_trains(name):
    lower_job(name, "sft", ALL_THREE)


@pytest.mark.parametrize("job", ["ppm", "decode", "score"])
@pytest.mark.parametrize("name", EACH_KIND)
def test_every_job_of_each_kind(name, job):
    lower_job(name, job, ALL_THREE)


def splits(name: str, mesh: tuple[int, int, int]) -> bool:
    model, (_, fsdp, tensor) = published(name), mesh
    return model.d_model % fsdp == 0 and model.n_kv_heads % tensor == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "mesh"), [(name, mesh) for name in PUBLISHED for mesh in (FSDP, ALL_THREE) if splits(name, mesh)]
)
@pytest.mark.parametrize("job", ["sft", "ppm", "decode", "score"])
def test_every_job_of_every_architecture(name, job, mesh):
    lower_job(name, job, mesh)


def test_a_layout_that_does_not_fit_is_an_error():
    model = published("qwen2.5-0.5b")  # whose 896 columns are no multiple of 256
    with pytest.raises(ValueError, match="evenly divide"):
        lower_step(model, Step("sft", TrainConfig(row_length=256), 256), abstract_mesh(*FSDP))
