"""What the engines cost without a model: nodes per second when the device answers at once.

    python experiments/benchmarks/host_overhead.py [--quick] [--json FILE]

Both engines run as in a search, with all their bookkeeping, but their programs are tables: tokens come from a hash of
row and place, values are zeros, and no key is ever computed. Many trees at once, each a path: draw 8 siblings, score
them, go on behind the first. A node is a sibling that was drawn and scored. The process keeps to one core, and JAX
runs nothing in it. Profile with `python -m cProfile -s tottime`.

Hardware: one CPU core. Target: 5,000 nodes a second.
"""

from __future__ import annotations

import asyncio
import dataclasses
import os
import pathlib
import statistics
import time
from typing import Any

import jax
import numpy as np
import tyro

from rstar_jax.errors import run_main
from rstar_jax.files import write_json
from rstar_jax.inference.attention import Items
from rstar_jax.inference.config import EngineConfig, Sampling
from rstar_jax.inference.engine import PolicyEngine, PPMEngine
from rstar_jax.inference.programs import Drawn, Pools, Slots
from rstar_jax.models.config import ModelConfig
from rstar_jax.models.decoder import init_params, value_params
from rstar_jax.models.sharding import make_mesh

MODEL = ModelConfig(vocab_size=1024, d_model=8, n_layers=1, n_heads=1, n_kv_heads=1, head_dim=8, d_ff=8)
SIZES = EngineConfig(max_length=2048, pages=40_000, rows=(16, 256), tokens=(64, 1024), decode_steps=16)
STOPS = 32  # token ids below it end a step: 1024/32, so a step has about 32 tokens
SIBLINGS = 8


@dataclasses.dataclass(frozen=True)
class Options:
    """Command-line options."""

    quick: bool = False
    json: pathlib.Path | None = None  # also write the figures to this file
    trees: int = 128
    depth: int = 10
    repeats: int = 5


class Table:
    """The programs of a model that costs nothing."""

    def extend(self, params: Any, pools: Pools, tokens: np.ndarray, where: Items) -> tuple[Pools, np.ndarray]:
        return pools, np.zeros(len(tokens), np.float32)

    def copy(self, pools: Pools, sources: np.ndarray, targets: np.ndarray) -> Pools:
        return pools

    def decode(self, params: Any, pools: Pools, slots: Slots, where: Items) -> tuple[Pools, Drawn]:
        steps = np.arange(SIZES.decode_steps)
        place = slots.drawn[:, None] + steps
        tokens = _hash(place + 977 * slots.candidate[:, None] + slots.key[:, 1:].astype(np.int64)) % MODEL.vocab_size
        ended = np.cumsum(tokens < STOPS, axis=1) - (tokens < STOPS) > 0
        drawn = np.where(ended | (place >= slots.limit[:, None]), -1, tokens).astype(np.int32)
        return pools, Drawn(drawn, np.zeros(drawn.shape, np.float32))


def _hash(x: np.ndarray) -> np.ndarray:
    return (x * 2654435761 % (1 << 32)) >> 7


async def grow(policy: PolicyEngine, ppm: PPMEngine, number: int, depth: int) -> int:
    """One path of a tree; the number of nodes."""
    rng = np.random.default_rng(number)
    path = rng.integers(STOPS, MODEL.vocab_size, rng.integers(200, 600)).tolist()
    for level in range(depth):
        found = await policy.generate(path, SIBLINGS, Sampling(max_tokens=64), 1000 * number + level)
        await ppm.score(path, [completion.tokens for completion in found])
        path = path + list(found[0].tokens)
    return depth * SIBLINGS


async def run(policy: PolicyEngine, ppm: PPMEngine, trees: int, depth: int) -> dict[str, float]:
    start, cpu = time.perf_counter(), time.process_time()
    async with policy, ppm:
        nodes = sum(await asyncio.gather(*(grow(policy, ppm, number, depth) for number in range(trees))))
    seconds = time.perf_counter() - start
    return {"nodes_per_s": nodes / seconds, "cpu_us_per_node": 1e6 * (time.process_time() - cpu) / nodes}


def main(options: Options) -> None:
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    mesh, stops = make_mesh(), range(STOPS)
    with jax.set_mesh(mesh):
        params = init_params(MODEL, jax.random.key(0))
    policy = PolicyEngine(MODEL, params, SIZES, stops, mesh)
    ppm = PPMEngine(MODEL, value_params(MODEL, params), SIZES, mesh)
    policy._programs = ppm._programs = Table()  # pyright: ignore[reportAttributeAccessIssue]
    trees, repeats = (32, 2) if options.quick else (options.trees, options.repeats)
    asyncio.run(run(policy, ppm, 4, 2))
    rounds = [asyncio.run(run(policy, ppm, trees, options.depth)) for _ in range(repeats)]
    figures = {name: statistics.median(one[name] for one in rounds) for name in rounds[0]}
    figures |= {"least_nodes_per_s": min(one["nodes_per_s"] for one in rounds), "repeats": float(repeats)}
    nodes = SIBLINGS * (4 * 2 + repeats * trees * options.depth)
    figures |= {"tokens_per_node": policy.metrics.decoded / nodes, "scored_per_node": ppm.metrics.scored / nodes}
    for name, value in figures.items():
        print(f"{name:24} {value:12,.1f}")
    if options.json:
        write_json(options.json, figures)


if __name__ == "__main__":
    run_main(lambda: main(tyro.cli(Options, description=__doc__)))
