"""Our decoder against `transformers` (torch, CPU) on random weights of published architectures, all families.

    python experiments/benchmarks/parity.py [--models NAME …] [--layers N] [--quick] [--json FILE]

Widths, heads and rotary positions are the true ones; layers are cut to two and the vocabulary to 2,048 tokens, so that
two copies of a 72B layer fit into 24 GB. For each model, with the same file of weights:

    logits      largest and mean difference in float32, at the first positions and at the last that the model knows
    greedy      tokens that agree before the first difference, of 64 through the engine, two prompts (ties of random
                weights may fall differently; the margin there is printed if there is one)
    bfloat16    mean distance from the float32 logits of torch: ours, and theirs

Needs torch (`pip install -e .[test]`). About ten minutes on two cores; `--quick` takes one model of each family,
with one layer, at its first positions, in float32, and 12 tokens.
"""

from __future__ import annotations

import asyncio
import dataclasses
import pathlib
import tempfile
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import tyro
from jax.sharding import PartitionSpec as P

from rstar_jax.errors import InputError, run_main
from rstar_jax.files import write_json
from rstar_jax.inference.config import EngineConfig, Sampling
from rstar_jax.inference.engine import PolicyEngine
from rstar_jax.models.config import ModelConfig
from rstar_jax.models.decoder import Params, hidden_states, logits
from rstar_jax.models.packed_rows import PackedRows
from rstar_jax.models.published import PUBLISHED
from rstar_jax.models.sharding import RULES, make_mesh
from rstar_jax.models.store import load_model

QUICK = ("qwen2.5-0.5b", "qwen3-0.6b", "llama-3.2-1b", "phi-3-mini-4k")
VOCAB, LENGTH = 2048, 128
MORE = ("last_max", "last_mean", "bf16_ours", "bf16_theirs")  # that the quick form leaves out


@dataclasses.dataclass(frozen=True)
class Options:
    """Command-line options."""

    models: tuple[str, ...] = tuple(PUBLISHED)
    layers: int = 2
    quick: bool = False
    json: pathlib.Path | None = None


def make(name: str, layers: int, folder: pathlib.Path) -> Any:
    """The model of `transformers`, saved in `folder` too. Random biases and norms, which start at zero and one."""
    import torch
    import transformers

    fields = PUBLISHED[name] | {"num_hidden_layers": layers, "vocab_size": VOCAB, "torch_dtype": "float32"}
    fields |= {"pad_token_id": None, "bos_token_id": None, "eos_token_id": None}
    config = transformers.AutoConfig.for_model(**fields)
    torch.manual_seed(0)
    model: Any = transformers.AutoModelForCausalLM.from_config(config, attn_implementation="eager").eval()
    with torch.no_grad():
        for key, parameter in model.named_parameters():
            if key.endswith("bias") or "norm" in key:
                parameter.add_(0.1 * torch.randn_like(parameter))
    model.save_pretrained(folder)
    return model


def ours(config: ModelConfig, params: Params, tokens: np.ndarray, first: int) -> np.ndarray:
    placed = jax.sharding.reshard(jnp.asarray(tokens), P(RULES.batch, None))
    positions = jnp.broadcast_to(first + jnp.arange(tokens.shape[1]), tokens.shape)
    positions = jax.sharding.reshard(positions, P(RULES.batch, None))

    @jax.jit
    def run(params: Params) -> jax.Array:
        rows = PackedRows(positions, jnp.ones_like(positions))
        return logits(config, params, hidden_states(config, params, placed, rows))

    return np.asarray(run(params))[..., : config.vocab_size]


def theirs(model: Any, tokens: np.ndarray, first: int = 0) -> np.ndarray:
    import torch

    positions = torch.arange(first, first + tokens.shape[1])[None]
    with torch.no_grad():
        return model(torch.as_tensor(tokens), position_ids=positions, use_cache=False).logits.float().numpy()


def greedy(model: Any, config: ModelConfig, params: Params, prompts: np.ndarray, count: int) -> dict[str, float]:
    """Of `count` tokens for each prompt, those until the first difference; the margin of the token that differs."""
    import torch

    sizes = EngineConfig(max_length=256, pages=32, tokens=(64,), rows=(16,))
    engine = PolicyEngine(config, params, sizes, (), make_mesh())

    async def generate() -> list[list[int]]:
        async with engine:
            sampling = Sampling(temperature=0.0, max_tokens=count)
            found = await asyncio.gather(*(engine.generate(prompt, 1, sampling, 0) for prompt in prompts))
            return [list(completions[0].tokens) for completions in found]

    agree, margin = 0, 0.0
    for prompt, found in zip(prompts, asyncio.run(generate()), strict=True):
        ids = torch.as_tensor(prompt)[None]
        expected = model.generate(ids, max_new_tokens=count, min_new_tokens=count, do_sample=False)
        expected = expected[0, len(prompt) :].tolist()
        same = next((i for i in range(count) if found[i] != expected[i]), count)
        agree += same
        if same < count:
            last = theirs(model, np.array([[*prompt, *expected[:same]]]))[0, -1]
            margin = float(abs(last[found[same]] - last[expected[same]]))
    return {"greedy_agree": agree, "greedy_of": count * len(prompts), "greedy_margin": margin}


def compare(name: str, layers: int, count: int, quick: bool) -> dict[str, float]:
    """All figures of one model; quick: at the first positions, in float32."""
    import torch

    tokens = np.random.default_rng(0).integers(0, VOCAB, (2, LENGTH))
    with tempfile.TemporaryDirectory() as folder:
        model = make(name, layers, pathlib.Path(folder))
        figures: dict[str, float] = {"parameters": sum(x.numel() for x in model.parameters())}
        last = PUBLISHED[name]["max_position_embeddings"] - LENGTH
        for where, first in (("first", 0), ("last", last))[: 1 if quick else 2]:
            # Longrope has two sets of frequencies, and `transformers` picks one by the last position.
            longest = 4096 if first + LENGTH <= 4096 else None
            config, params = load_model(folder, max_length=longest)
            expected = theirs(model, tokens, first)
            difference = np.abs(ours(config, params, tokens, first) - expected)
            figures |= {f"{where}_max": float(difference.max()), f"{where}_mean": float(difference.mean())}
            if where == "first":
                figures["deviation"] = float(expected.std())
                figures |= greedy(model, config, params, tokens[:, :32], count)
            del params
        if quick:
            return figures
        exact = theirs(model, tokens)
        config, params = load_model(folder, dtype="bfloat16", max_length=4096)
        figures["bf16_ours"] = float(np.abs(ours(config, params, tokens, 0) - exact).mean())
        figures["bf16_theirs"] = float(np.abs(theirs(model.to(torch.bfloat16), tokens) - exact).mean())
    return figures


def main(options: Options) -> None:
    unknown = set(options.models) - set(PUBLISHED)
    if unknown:
        raise InputError(f"not known: {', '.join(sorted(unknown))} (known are {', '.join(PUBLISHED)})")
    names, layers, count = (QUICK, 1, 12) if options.quick else (options.models, options.layers, 64)
    print(
        f"{'':18}{'parameters':>12}{'std':>7}{'first: max':>12}{'mean':>10}{'greedy':>10}"
        f"{'last: max':>12}{'mean':>12}{'bf16 ours':>12}{'theirs':>12}"
    )
    figures: dict[str, float] = {}
    with jax.set_mesh(make_mesh()):
        for name in names:
            # Two layers of a 72B model and their copies do not fit into 24 GB.
            found = compare(name, 1 if name.endswith("72b") else layers, count, options.quick)
            figures |= {f"{name}_{key}": value for key, value in found.items()}
            agree = f"{found['greedy_agree']:.0f}/{found['greedy_of']:.0f}"
            print(
                f"{name:18}{found['parameters'] / 1e6:>10,.0f} M{found['deviation']:>7.2f}{found['first_max']:>12.1e}"
                f"{found['first_mean']:>10.1e}{agree:>10}"
                + "".join(f"{found[key]:>12.1e}" for key in MORE if key in found),
                flush=True,
            )
    if options.json:
        write_json(options.json, figures)


if __name__ == "__main__":
    run_main(lambda: main(tyro.cli(Options, description=__doc__)))
