"""Run by `test_tpu_compile.py` in a process of its own, as libtpu likes it: what the programs take, as JSON."""

from __future__ import annotations

import dataclasses
import json
import sys

from rstar_jax.inference.ahead_of_time import compile_, lower, pool_on_chip, topology
from rstar_jax.inference.config import EngineConfig
from rstar_jax.models.published import published
from rstar_jax.models.sharding import make_mesh


def footprints(case: dict) -> dict[str, dict]:
    """By program; with the bytes of a layer's pool."""
    mesh = make_mesh(**case["mesh"], devices=topology(case["chips"]))
    config = dataclasses.replace(published(case["model"]), **case["model_changes"])
    sizes = EngineConfig(
        page_size=64, block=64, pages=case["pages"], tokens=(512,), rows=(64,), item=16, max_length=4096
    )
    pool, layer_bytes = pool_on_chip(config, sizes, mesh)
    programs = lower(config, case["head"], sizes, mesh, (1, 2))
    compiled = {name: compile_(lowered, pool, config.n_layers * layer_bytes) for name, lowered in programs.items()}
    return {name: {**dataclasses.asdict(it), "layer_bytes": layer_bytes} for name, it in compiled.items()}


if __name__ == "__main__":
    print(json.dumps(footprints(json.loads(sys.argv[1]))))
