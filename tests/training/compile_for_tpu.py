"""Run by `test_tpu_compile.py` in a process of its own, as libtpu likes it: what is in a training step, as JSON."""

from __future__ import annotations

import dataclasses
import functools
import json
import re
import sys
from typing import Any

import jax
import jax.numpy as jnp
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from rstar_jax.ahead_of_time.chips import parse_slice
from rstar_jax.ahead_of_time.topology import topology
from rstar_jax.models.config import ModelConfig
from rstar_jax.models.decoder import logical_axes
from rstar_jax.models.published import published
from rstar_jax.models.sharding import RULES, make_mesh
from rstar_jax.training.loss import Batch
from rstar_jax.training.optimizer import TrainConfig, make_optimizer
from rstar_jax.training.ppm import ppm_loss
from rstar_jax.training.sft import sft_loss
from rstar_jax.training.state import abstract_state
from rstar_jax.training.step import compile_step


def abstract_batch(job: str, rows: int, length: int, mesh: Mesh) -> Batch:
    ints = {"tokens": length, "positions": length, "segments": length}
    more = {"sft": {"loss_mask": length}, "ppm": {"branches": length, "better": 8, "worse": 8, "pair_weights": 8}}[job]
    dtypes = {"loss_mask": jnp.bool_, "pair_weights": jnp.float32}
    sharding = NamedSharding(mesh, P(None, RULES.batch, None))
    batch: dict[str, Any] = {
        name: jax.ShapeDtypeStruct((1, rows, size), dtypes.get(name, jnp.int32), sharding=sharding)
        for name, size in (ints | more).items()
    }
    return batch


def compiled(case: dict) -> dict:
    mesh = make_mesh(**case["mesh"], devices=topology(parse_slice(case["chips"])))
    config: ModelConfig = dataclasses.replace(published(case["model"]), **case["changes"])
    train, job, length = TrainConfig(remat=case["remat"]), case["job"], case["length"]
    head, loss = ("lm", sft_loss) if job == "sft" else ("value", ppm_loss)
    with jax.set_mesh(mesh):
        optimizer = make_optimizer(train, logical_axes(config, head))
        abstract = abstract_state(config, head, optimizer, mesh)
        step = compile_step(functools.partial(loss, config, remat=train.remat), optimizer, abstract)
        batch = abstract_batch(job, case["rows"], length, mesh)
        program = step.lower(abstract, batch, jax.ShapeDtypeStruct((), jnp.float32)).compile()
    text, memory = program.as_text(), program.memory_analysis()
    arrays = re.sub(r"^%fused_computation\S* \(.*?^}", "", text, flags=re.DOTALL | re.MULTILINE)  # inside are none
    shapes = {tuple(map(int, shape.split(","))) for shape in re.findall(r"\b[a-z]+\d*\[([\d,]+)\]", arrays)}
    return {
        "temporaries": memory.temp_size_in_bytes,
        "host": memory.host_temp_size_in_bytes,
        "squares": [shape for shape in shapes if sum(side >= length for side in shape) > 1],
        "kernels": {name: len(re.findall(rf" %?splash_mha_{name}\S* = ", text)) for name in ("fwd", "dq", "dkv")},
        "gathers": sorted(re.findall(r"= \(?(\w+\[[\d,]*\])\S* all-gather(?:-start)?\(", text)),
    }


if __name__ == "__main__":
    print(json.dumps(compiled(json.loads(sys.argv[1]))))
