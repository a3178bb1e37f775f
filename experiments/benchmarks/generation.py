"""Throughput of the engines under a workload shaped like tree search, against bare compiled loops.

    python experiments/benchmarks/generation.py [--quick] [--json FILE]

Many trees at once: each asks for candidates, scores them, appends one to its path, and so on. Weights are
random; a share of the vocabulary counts as stop tokens, so that steps are about as long as real ones. The
bare figures are the same programs with every row busy and no scheduler: what an engine could reach at best.
Both engines share the machine, so their own figures are lower than alone.

Hardware: any. On two idle CPU cores expect 12,000 to 20,000 bare decoded tokens per second.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import pathlib
import time
from typing import Any

import jax
import numpy as np

from rstar_jax.inference.config import EngineConfig, Sampling, ScoringConfig
from rstar_jax.inference.engine import Engine
from rstar_jax.inference.scoring import ScoringEngine
from rstar_jax.models.config import ModelConfig
from rstar_jax.models.decoder import init_params, parameter_count, value_params
from rstar_jax.models.sharding import make_mesh

SMALL = ModelConfig(
    vocab_size=512, d_model=128, n_layers=4, n_heads=4, n_kv_heads=2, head_dim=32, d_ff=352, max_length=384
)
SAMPLING = Sampling(max_tokens=32)
STOP_IDS = tuple(range(1, 35))  # of 512: a step has 15 tokens on average


async def grow_tree(engine: Engine, scorer: ScoringEngine, number: int, depth: int, n: int) -> None:
    """One path of a tree: propose, score, take the first, add what the code printed."""
    rng = np.random.default_rng(number)
    path = rng.integers(35, SMALL.vocab_size, rng.integers(60, 100)).tolist()
    for level in range(depth):
        completions = await engine.generate(path, n, SAMPLING, number * 100 + level)
        await scorer.score(path, [completion.tokens for completion in completions])
        path = path + list(completions[0].tokens) + rng.integers(35, SMALL.vocab_size, 5).tolist()


async def search(engine: Engine, scorer: ScoringEngine, trees: int, depth: int, n: int) -> dict[str, float]:
    async with engine, scorer:
        start = time.perf_counter()
        await asyncio.gather(*(grow_tree(engine, scorer, i, depth, n) for i in range(trees)))
        seconds = time.perf_counter() - start
    policy, ppm = engine.metrics, scorer.metrics
    return {
        "seconds": seconds,
        "expansions_per_s": trees * depth / seconds,
        "decoded_per_s": policy.decoded / seconds,
        "decoded_per_policy_s": policy.decoded / policy.device_seconds,
        "scored_per_ppm_s": ppm.scored / ppm.device_seconds,
        "policy_share": policy.device_seconds / seconds,
        "ppm_share": ppm.device_seconds / seconds,
        "reused_share": policy.reused / (policy.reused + policy.prefilled),
        "compilations": engine.compilations + scorer.compilations,
    }


def best_of(repeats: int, action: Any) -> float:
    """Seconds of the fastest call."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        action()
        times.append(time.perf_counter() - start)
    return min(times)


def bare_decoding(engine: Engine, repeats: int) -> dict[str, float]:
    """Tokens per second of the decoding program with all slots busy, by context length."""
    rates = {}
    steps, slots = engine.engine_config.decode_steps, engine.engine_config.slots
    for length, lane in engine.scheduler.lanes.items():
        for array, value in zip(lane.state, (40, length - steps, 0, steps, 0, 0, 1.0, 1.0, 0), strict=True):
            array[:] = value
        seconds = best_of(repeats, lambda lane=lane: engine._decode(lane))
        rates[f"bare_decoded_per_s_{length}"] = slots * steps / seconds
    return rates


def bare_scoring(scorer: ScoringEngine, repeats: int) -> dict[str, float]:
    """Tokens per second of the scoring program with full rows, by row length."""
    rates = {}
    for length in scorer.scoring_config.lengths:
        plan = (length, [], scorer._empty(length))
        plan[2].branches[:] = 0
        seconds = best_of(repeats, lambda plan=plan: scorer._compute(plan))
        rates[f"bare_scored_per_s_{length}"] = plan[2].tokens.size / seconds
    return rates


def main(argv: list[str] | None = None) -> dict[str, Any]:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a few seconds instead of a minute")
    parser.add_argument("--json", type=pathlib.Path, help="write the figures here")
    parser.add_argument("--slots", type=int, default=EngineConfig().slots)
    parser.add_argument("--steps", type=int, default=EngineConfig().decode_steps)
    options = parser.parse_args(argv)
    trees, depth, repeats = (16, 3, 3) if options.quick else (64, 5, 10)

    mesh, sizes = make_mesh(), EngineConfig(slots=options.slots, decode_steps=options.steps)
    with jax.set_mesh(mesh):
        policy = jax.jit(lambda: init_params(SMALL, jax.random.key(0)))()
    engine = Engine(SMALL, policy, sizes, STOP_IDS, mesh)
    endless = Engine(SMALL, policy, sizes, (), mesh)
    scorer = ScoringEngine(SMALL, value_params(SMALL, policy), ScoringConfig(), mesh)
    warm_up = engine.warm_up() | scorer.warm_up()

    figures: dict[str, Any] = {
        "parameters": parameter_count(policy),
        "compile_seconds": sum(warm_up.values()),
    }
    figures |= asyncio.run(search(engine, scorer, trees, depth, n=8))
    with jax.set_mesh(mesh):
        figures |= bare_decoding(endless, repeats) | bare_scoring(scorer, repeats)
    for name, value in figures.items():
        print(f"{name:24} {value:12,.2f}")
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n")
    return figures


if __name__ == "__main__":
    main()
