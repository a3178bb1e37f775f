"""Run by `test_sharded.py` in a process of its own: tokens and scores on forced CPU devices, as JSON."""

from __future__ import annotations

import asyncio
import json
import sys

import jax

from rstar_jax.inference.config import EngineConfig, Sampling
from rstar_jax.inference.engine import PolicyEngine, PPMEngine
from rstar_jax.models.config import ModelConfig
from rstar_jax.models.decoder import init_params, value_params
from rstar_jax.models.sharding import make_mesh

CONFIG = ModelConfig(
    vocab_size=64, d_model=32, n_layers=1, n_heads=4, n_kv_heads=2, head_dim=8, d_ff=48, init_scale=0.3
)
SIZES = EngineConfig(
    max_length=32, page_size=8, pages=12, tokens=(16,), rows=(4,), decode_steps=4, item=4, block=16, copies=4
)


async def answers(shape: dict[str, int]) -> dict[str, list]:
    mesh = make_mesh(**shape)
    with jax.set_mesh(make_mesh()):
        params = jax.device_get(jax.jit(lambda: init_params(CONFIG, jax.random.key(0)))())
    ppm = value_params(CONFIG, params)
    ppm["outer"]["value_weight"] = params["blocks"]["attention_norm"][0] * 0.5
    engine = PolicyEngine(CONFIG, params, SIZES, (1,), mesh)
    scorer = PPMEngine(CONFIG, ppm, SIZES, mesh)
    sampling = [Sampling(temperature=0, max_tokens=8), Sampling(top_k=9, top_p=0.9, max_tokens=8)]
    async with engine, scorer:
        drawn = await asyncio.gather(
            *(engine.generate([3 + i, *range(5, 8 + i)], 2, sampling[i % 2], i) for i in range(6))
        )
        scores = await scorer.score([4, 5, 6], [[7, 8], [9], [10, 11, 12]])
    return {"tokens": [[c.tokens for c in request] for request in drawn], "scores": scores}


if __name__ == "__main__":
    jax.config.update("jax_num_cpu_devices", 2)
    print(json.dumps([asyncio.run(answers(json.loads(shape))) for shape in sys.argv[1:]]))
