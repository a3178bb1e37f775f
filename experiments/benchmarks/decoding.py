"""Decoding against the bound of memory bandwidth, on a GPU or TPU: Qwen2 of 1.5B and 7B, random weights, bfloat16.

    python experiments/benchmarks/decoding.py [--models 1.5b 7b] [--batches 8 64 256] [--quick] [--json FILE]

The engine's own decoding program with every row busy, families of eight siblings behind trunks of `context` tokens.
Bound: a step reads all weights but the input embedding once, and every row its own keys and values, at the
bandwidth of the card (`BANDWIDTH`; elsewhere that of a copy, measured first). Where siblings share their reading a
step may read less than that, so more than 100 % is possible. If torch sees the same card, `transformers` decodes with
the same sizes in a process of its own (its own cache, sampling): new tokens/s, prefill not counted.

`--quick`, and a machine without an accelerator, run a model of two layers: the command works, and no more is shown.

Hardware: one GPU with 24 GB (1.5B) or 80 GB (7B). On NVIDIA: `pip install -U "jax[cuda12]"`. Target: 60 % of the bound
at batch 64.
"""

from __future__ import annotations

import dataclasses
import json
import pathlib
import statistics
import subprocess
import sys
import time
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import tyro
from jax.sharding import Mesh

from rstar_jax.errors import run_main
from rstar_jax.files import write_json
from rstar_jax.inference.config import EngineConfig
from rstar_jax.inference.engine import PolicyEngine
from rstar_jax.inference.running import DecodeBatch
from rstar_jax.models.config import ModelConfig
from rstar_jax.models.decoder import Params, init_params
from rstar_jax.models.published import published
from rstar_jax.models.sharding import make_mesh

_TINY = ModelConfig(4096, 256, 2, 4, 2, 64, 512, param_dtype="bfloat16", compute_dtype="bfloat16")
MODELS = {"1.5b": published("qwen2.5-math-1.5b"), "7b": published("qwen2.5-math-7b"), "tiny": _TINY}
BANDWIDTH = {"H100": 3.35e12, "H200": 4.8e12, "A100": 2.0e12, "L4": 3.0e11}
BANDWIDTH |= {"TPU v5 lite": 8.2e11, "TPU v5": 2.77e12, "TPU v6 lite": 1.6e12}  # published; the first match counts
STEPS, SIBLINGS = 32, 8


@dataclasses.dataclass(frozen=True)
class Options:
    """Command-line options."""

    models: tuple[str, ...] = ("1.5b", "7b")
    batches: tuple[int, ...] = (8, 64, 256)
    context: int = 512
    repeats: int = 5
    quick: bool = False
    peer: bool = True  # run transformers too, where torch sees a card
    json: pathlib.Path | None = None  # also write the figures to this file


def bandwidth(mesh: Mesh) -> float:
    """Bytes a second: the card's, or what a copy reaches."""
    kind = mesh.devices.flat[0].device_kind
    known = [rate for name, rate in BANDWIDTH.items() if name in kind]
    if known:
        return known[0]
    x = jnp.ones(1 << 26, jnp.float32)
    copy = jax.jit(lambda x: x + 1)
    jax.block_until_ready(copy(x))
    return 2 * x.nbytes / min(_seconds(lambda: copy(x)) for _ in range(5))


def read_bytes(config: ModelConfig, params: Params, rows: int, context: int) -> float:
    """Bytes that a step has to read: weights, and every row's keys and values (bfloat16)."""
    weights = sum(leaf.nbytes for leaf in jax.tree.leaves(params))
    if not config.tie_embeddings:
        weights -= params["outer"]["embed"].nbytes
    return weights + rows * context * config.n_layers * 2 * config.n_kv_heads * config.head_dim * 2


def busy(engine: PolicyEngine, rows: int, context: int) -> DecodeBatch:
    """A dispatch in which every row draws, eight siblings to a trunk."""
    sizes = engine.engine_config
    batch = engine.scheduler.empty_decode(rows)
    slots, own = batch.slots, -(-(context + STEPS) // sizes.page_size)
    slots.token[:], slots.position[:], slots.limit[:], slots.temperature[:] = 5, context, 1 << 20, 1.0
    slots.candidate[:] = np.arange(rows)
    trunk = context // sizes.block * sizes.block
    batch.trunk[:] = trunk
    batch.tables[:, :own] = np.arange(rows * own).reshape(rows, own)
    shared = trunk // sizes.page_size
    for row in range(rows):
        batch.tables[row, :shared] = batch.tables[row // SIBLINGS * SIBLINGS, :shared]
    batch.members[-1][: rows // SIBLINGS] = np.arange(rows).reshape(-1, SIBLINGS)
    return batch


def decode_rates(config: ModelConfig, mesh: Mesh, options: Options) -> dict[str, float]:
    """New tokens a second by batch, and as a share of the bound."""
    pages = max(options.batches) * (-(-(options.context + STEPS) // 16) + 1)
    sizes = EngineConfig(
        max_length=options.context + 2 * STEPS, pages=pages, rows=options.batches, decode_steps=STEPS, item=SIBLINGS
    )
    with jax.set_mesh(mesh):
        params = jax.jit(lambda: init_params(config, jax.random.key(0)))()
        engine = PolicyEngine(config, params, sizes, (), mesh)
        figures, rate = {}, bandwidth(mesh)
        for rows in options.batches:
            batch = busy(engine, rows, options.context)
            times = [_seconds(lambda batch=batch: engine._decode(batch)) for _ in range(options.repeats + 1)][1:]
            tokens = rows * STEPS / statistics.median(times)
            bound = rows * rate / read_bytes(config, params, rows, options.context)
            figures |= {f"tokens_per_s_{rows}": tokens, f"share_of_bound_{rows}": tokens / bound}
    return figures | {"bandwidth": rate}


def peer_rates(config: ModelConfig, options: Options) -> dict[str, float]:
    """`transformers` on the same card: tokens a second while it decodes."""
    import torch  # pyright: ignore[reportMissingImports]
    from transformers import Qwen2Config, Qwen2ForCausalLM

    torch.manual_seed(0)
    hugging_face = Qwen2Config(
        vocab_size=config.vocab_size, hidden_size=config.d_model, num_hidden_layers=config.n_layers,
        num_attention_heads=config.n_heads, num_key_value_heads=config.n_kv_heads, intermediate_size=config.d_ff,
        tie_word_embeddings=config.tie_embeddings,
    )  # fmt: skip
    with torch.device("cuda"):
        model: Any = Qwen2ForCausalLM(hugging_face)
    model = model.to(torch.bfloat16)
    figures = {}
    for rows in options.batches:
        ids = torch.randint(10, config.vocab_size, (rows, options.context), device="cuda")

        def draw(count: int, ids: Any = ids) -> None:
            model.generate(ids, attention_mask=torch.ones_like(ids), do_sample=True, min_new_tokens=count,
                           max_new_tokens=count, eos_token_id=None, pad_token_id=0)  # fmt: skip
            torch.cuda.synchronize()

        draw(2)
        differences = [_seconds(lambda: draw(2 + STEPS)) - _seconds(lambda: draw(2)) for _ in range(options.repeats)]
        figures[f"peer_tokens_per_s_{rows}"] = rows * STEPS / statistics.median(differences)
    return figures


def in_own_process(name: str, options: Options) -> dict[str, float]:
    """The peer's figures. JAX takes most of a card's memory, so the two do not share a process."""
    wanted = dataclasses.replace(options, json=None)
    code = f"import json, decoding as d; print(json.dumps(d.peer_rates(d.MODELS[{name!r}], d.{wanted})))"
    here = pathlib.Path(__file__).parent
    ran = subprocess.run([sys.executable, "-c", code], cwd=here, capture_output=True, text=True, check=False)
    if ran.returncode:
        print(f"transformers was not measured: {ran.stderr.strip().splitlines()[-1]}")
        return {}
    return json.loads(ran.stdout.splitlines()[-1])


def _seconds(action: Any) -> float:
    start = time.perf_counter()
    jax.block_until_ready(action())
    return time.perf_counter() - start


def main(options: Options) -> None:
    accelerator = jax.default_backend() != "cpu"
    if options.quick or not accelerator:
        options = dataclasses.replace(options, models=("tiny",), batches=(8, 64), repeats=3)
    figures: dict[str, float] = {}
    for name in options.models:
        found = in_own_process(name, options) if options.peer and accelerator else {}
        found |= decode_rates(MODELS[name], make_mesh(), options)
        for rows in options.batches:
            if f"peer_tokens_per_s_{rows}" in found:
                found[f"ratio_{rows}"] = found[f"tokens_per_s_{rows}"] / found[f"peer_tokens_per_s_{rows}"]
        figures |= {f"{name}_{key}": value for key, value in found.items()}
    print(jax.devices()[0].device_kind)
    for key, value in figures.items():
        print(f"{key:32} {value:16,.4g}")
    if options.json:
        write_json(options.json, figures)


if __name__ == "__main__":
    run_main(lambda: main(tyro.cli(Options, description=__doc__)))
