"""Run by `test_engine.py` in a process of its own, as libtpu likes it: what the programs take, as JSON."""

from __future__ import annotations

import dataclasses
import json
import sys

from rstar_jax.ahead_of_time.chips import parse_slice
from rstar_jax.ahead_of_time.compiling import compile_lowered
from rstar_jax.ahead_of_time.engine import lower_programs, pool_on_chip, written_in_place
from rstar_jax.ahead_of_time.topology import topology
from rstar_jax.inference.config import EngineConfig
from rstar_jax.models.published import published
from rstar_jax.models.sharding import make_mesh


def footprints(case: dict) -> dict[str, dict]:
    """By program; with the bytes of a layer's pool."""
    mesh = make_mesh(**case["mesh"], devices=topology(parse_slice(case["chips"])))
    config = dataclasses.replace(published(case["model"]), **case["model_changes"])
    sizes = EngineConfig(
        page_size=64, block=64, pages=case["pages"], tokens=(512,), rows=(64,), item=16, max_length=4096
    )
    pool, found = pool_on_chip(config, sizes, mesh), {}
    for name, lowered in lower_programs(config, case["head"], sizes, mesh, (1, 2)).items():
        compiled = compile_lowered(lowered)
        taken = {"temporaries": compiled.temporaries, "layer_bytes": pool.layer_bytes}
        found[name] = taken | {"in_place": written_in_place(compiled, pool)}
    return found


if __name__ == "__main__":
    print(json.dumps(footprints(json.loads(sys.argv[1]))))
