"""Run in a process of its own with eight CPU devices: the largest array of compiled SFT steps, as JSON.

Steps are whole: loss, gradient over two microbatches, optimizer. Keys are how many devices; numbers are of one of them.
"""

from __future__ import annotations

import functools
import json
import math
import re

import jax
import jax.numpy as jnp
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from rstar_jax.models.config import ModelConfig
from rstar_jax.models.decoder import logical_axes
from rstar_jax.models.sharding import RULES, make_mesh
from rstar_jax.training.optimizer import TrainConfig, make_optimizer
from rstar_jax.training.sft import sft_loss
from rstar_jax.training.state import abstract_state
from rstar_jax.training.step import compile_step

MODEL = ModelConfig(vocab_size=2048, d_model=8, n_layers=2, n_heads=2, n_kv_heads=2, head_dim=4, d_ff=8)
ROWS, LENGTH = 8, 64  # of a microbatch


def largest(mesh: Mesh, chunk: int) -> int:
    config = TrainConfig(loss_chunk=chunk, microbatches=2)
    sharding = NamedSharding(mesh, P(None, RULES.batch, None))
    names = ("tokens", "positions", "segments", "loss_mask")
    batch = {name: jax.ShapeDtypeStruct((2, ROWS, LENGTH), jnp.int32, sharding=sharding) for name in names}
    batch["loss_mask"] = batch["loss_mask"].update(dtype=jnp.bool_)
    with jax.set_mesh(mesh):
        optimizer = make_optimizer(config, logical_axes(MODEL))
        abstract = abstract_state(MODEL, "lm", optimizer, mesh)
        step = compile_step(functools.partial(sft_loss, MODEL, chunk=config.loss_chunk), optimizer, abstract)
        text = step.lower(abstract, batch, jax.ShapeDtypeStruct((), jnp.float32)).compile().as_text()
    shapes = re.findall(r"\b(?:f32|bf16|f16|pred|s32|u32)\[([\d,]+)\]", text)
    return max(math.prod(map(int, shape.split(","))) for shape in shapes)


if __name__ == "__main__":
    assert len(jax.devices()) == 8
    eight = make_mesh(2, 2, 2)
    sizes = {"one": largest(make_mesh(), 8), "eight": largest(eight, 8), "eight, unchunked": largest(eight, LENGTH)}
    print(json.dumps(sizes))
