"""The workload of `generation.py`, and our side of it: the engine under it, and its bare programs."""

from __future__ import annotations

import asyncio
import dataclasses
import statistics
import time

import jax
import numpy as np

from rstar_jax.inference.config import EngineConfig, Sampling
from rstar_jax.inference.engine import PolicyEngine, Results, Turn
from rstar_jax.inference.filling import ExtendBatch
from rstar_jax.inference.running import DecodeBatch
from rstar_jax.models.config import ModelConfig
from rstar_jax.models.decoder import Params, init_params
from rstar_jax.models.sharding import make_mesh

MODEL = ModelConfig(
    vocab_size=8192, d_model=512, n_layers=8, n_heads=8, n_kv_heads=2, head_dim=64, d_ff=1408, rope_theta=1e6
)
STOP_IDS = tuple(range(1, 273))  # one in thirty
SIZES = EngineConfig(max_length=896, pages=4096)
QUICK_SIZES = dataclasses.replace(SIZES, tokens=(256,), rows=(64,))  # less to compile
BARE_CONTEXT = 400


@dataclasses.dataclass(frozen=True)
class Workload:
    """What is grown. Prompts are evenly spread in length; with steps and outputs they end at about 600 tokens."""

    model: ModelConfig = MODEL
    sizes: EngineConfig = SIZES
    problems: int = 32
    siblings: int = 8
    steps: int = 6
    lengths: tuple[int, int] = (200, 440)
    max_tokens: int = 64
    output: int = 5
    batches: tuple[int, ...] = (16, 32, 64)  # rows that a peer may try
    greedy: tuple[int, int] = (8, 48)  # prompts, tokens of each

    def prompts(self) -> list[list[int]]:
        lengths = np.linspace(*self.lengths, self.problems).astype(int)
        return [words(np.random.default_rng(i), length) for i, length in enumerate(lengths)]

    def middle(self, count: int) -> list[list[int]]:
        """So many prompts of medium length."""
        first = (self.problems - count) // 2
        return self.prompts()[first : first + count]


QUICK = Workload(
    dataclasses.replace(MODEL, n_layers=2), QUICK_SIZES, 8, 8, 2, (40, 80), 12, batches=(32,), greedy=(3, 8)
)


@dataclasses.dataclass(frozen=True)
class Done:
    """New tokens and the time they took."""

    tokens: int
    seconds: float

    @property
    def rate(self) -> float:
        return self.tokens / self.seconds


def words(rng: np.random.Generator, count: int) -> list[int]:
    """Tokens that are neither padding nor stops."""
    return rng.integers(STOP_IDS[-1] + 1, MODEL.vocab_size, count).tolist()


def make_params(model: ModelConfig) -> Params:
    """Random weights, biases and norms too: a conversion that loses some shows in the greedy texts."""
    with jax.set_mesh(make_mesh()):
        params = jax.device_get(jax.jit(lambda: init_params(model, jax.random.key(0)))())
    rng, attention = np.random.default_rng(0), params["blocks"]["attention"]
    for name in ("q_bias", "k_bias", "v_bias"):
        attention[name] = rng.normal(0, 0.5, attention[name].shape).astype(np.float32)
    for tree, name in ((params["blocks"], "attention_norm"), (params["blocks"], "mlp_norm")):
        tree[name] = rng.normal(1, 0.1, tree[name].shape).astype(np.float32)
    return params


class Watched(PolicyEngine):
    """Counts what the rows of its decoding dispatches could have drawn."""

    drawable = 0

    def _absorb(self, plan: Turn, result: Results) -> None:
        if result[1] is not None:
            steps = int((result[1].tokens >= 0).any(axis=0).sum())  # a dispatch ends with its last row
            self.drawable += steps * len(result[1].tokens)
        super()._absorb(plan, result)


async def grow(engine: PolicyEngine, workload: Workload, prompt: list[int], key: int) -> int:
    """One problem's path; how many tokens were drawn for it."""
    path, rng, drawn = list(prompt), np.random.default_rng(key), 0
    for step in range(workload.steps):
        sampling = Sampling(max_tokens=workload.max_tokens)
        siblings = await engine.generate(path, workload.siblings, sampling, key * workload.steps + step)
        drawn += sum(len(sibling.tokens) for sibling in siblings)
        path += [*siblings[0].tokens, *words(rng, workload.output)]
    return drawn


async def grow_all(engine: PolicyEngine, workload: Workload, repeat: int) -> Done:
    async with engine:
        start, prompts = time.perf_counter(), workload.prompts()
        jobs = [grow(engine, workload, prompt, repeat * len(prompts) + i) for i, prompt in enumerate(prompts)]
        return Done(sum(await asyncio.gather(*jobs)), time.perf_counter() - start)


def busy_decode(engine: PolicyEngine) -> DecodeBatch:
    """Every row in the midst of drawing, families of siblings behind a trunk of whole blocks."""
    sizes = engine.engine_config
    rows, item, size = sizes.rows[-1], sizes.item, sizes.page_size
    batch = engine.scheduler.empty_decode(rows)
    trunk = BARE_CONTEXT // sizes.block * sizes.block
    shared, own = trunk // size, -(-(BARE_CONTEXT + sizes.decode_steps) // size) - trunk // size
    families = np.arange(rows) // item
    batch.tables[:, :shared] = families[:, None] * shared + np.arange(shared)
    batch.tables[:, shared : shared + own] = rows // item * shared + np.arange(rows * own).reshape(rows, own)
    batch.trunk[:] = trunk
    batch.members[-1][: rows // item] = np.arange(rows).reshape(-1, item)
    batch.slots.position[:], batch.slots.token[:] = BARE_CONTEXT, words(np.random.default_rng(0), rows)
    batch.slots.limit[:], batch.slots.temperature[:] = sizes.decode_steps, 1.0
    batch.slots.candidate[:] = np.arange(rows)
    return batch


def busy_extend(engine: PolicyEngine) -> ExtendBatch:
    """Tokens of one sequence, as many as a dispatch holds, behind half of the bare context."""
    rows = engine.engine_config.tokens[-1]
    batch = engine.scheduler.empty_extend(rows)
    batch.tables[:] = np.arange(batch.tables.shape[1])
    batch.positions[:] = BARE_CONTEXT // 2 + np.arange(rows)
    batch.shared.trunk[:] = BARE_CONTEXT // 2 // engine.engine_config.block * engine.engine_config.block
    batch.tokens[:] = words(np.random.default_rng(0), rows)
    return batch


def bare(engine: PolicyEngine, repeats: int) -> dict[str, float]:
    """Tokens per second of the two programs. The engine must have no stop tokens."""
    sizes, rates = engine.engine_config, {}
    decode, extend = busy_decode(engine), busy_extend(engine)
    turns = {"decode": (decode, sizes.rows[-1] * sizes.decode_steps), "prefill": (extend, sizes.tokens[-1])}
    for name, (dispatch, tokens) in turns.items():
        seconds = []
        for _ in range(repeats + 1):
            start = time.perf_counter()
            with jax.set_mesh(engine.mesh):
                jax.block_until_ready((engine._compute([dispatch]), engine._pools))
            seconds.append(time.perf_counter() - start)
        rates[f"bare_{name}_tokens_per_s"] = tokens / statistics.median(seconds[1:])  # the first one compiles
    return rates
