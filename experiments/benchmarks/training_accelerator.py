"""An SFT step on a GPU or TPU: share of the peak (MFU), and the largest batch that fits; for `training.py`.

Every batch runs in a process of its own, so that one that does not fit leaves nothing behind. Parameters and optimizer
are float32, activations bfloat16, layers recomputed in the backward pass unless told otherwise; every row is one
sequence of full length, and all of its tokens are targets.

MFU: floating-point operations that the step needs (6 for each weight of a matrix product and token, and causal
attention by half; recomputation does not count) over time and the card's published bfloat16 peak; elsewhere over the
rate of a matrix product, measured first.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import tyro
from training_ours import Steps

from rstar_jax.models.config import ModelConfig
from rstar_jax.models.published import published
from rstar_jax.models.remat import Remat
from rstar_jax.models.sharding import make_mesh
from rstar_jax.training.devices import peak_flops
from rstar_jax.training.flops import causal, train_flops
from rstar_jax.training.optimizer import TrainConfig
from rstar_jax.training.sft import sft_loss

_TINY = ModelConfig(4096, 256, 2, 4, 2, 64, 512)
MODELS = {"1.5b": published("qwen2.5-math-1.5b"), "7b": published("qwen2.5-math-7b"), "tiny": _TINY}
FULL = "RESOURCE_EXHAUSTED"  # what XLA says where memory ends


@dataclasses.dataclass(frozen=True)
class Step:
    """What is run: a model of `MODELS`, so many rows of so many tokens in a step."""

    model: str = "1.5b"
    length: int = 4096
    rows: int = 1
    remat: Remat = "full"
    repeats: int = 5


def peak() -> float:
    """Operations a second of the card by its data sheet, or of a matrix product where there is none."""
    known = peak_flops(jax.devices()[0])
    if known is not None:
        return known
    x = jnp.ones((2048, 2048), jnp.float32)
    product = jax.jit(jnp.matmul)
    return 2 * 2048**3 / min(_seconds(lambda: product(x, x)) for _ in range(6))


def measured(step: Step) -> dict[str, float]:
    """A step's figures, in this process."""
    config = dataclasses.replace(MODELS[step.model], param_dtype="float32", compute_dtype="bfloat16")
    loss = functools.partial(sft_loss, config, remat=step.remat)
    steps = Steps(config, "lm", loss, None, TrainConfig(remat=step.remat), make_mesh())
    steps.begin()
    tokens = np.random.default_rng(0).integers(1, config.vocab_size, (step.rows, step.length), np.int32)
    rows = {
        "tokens": tokens,
        "positions": np.broadcast_to(np.arange(step.length, dtype=np.int32), tokens.shape),
        "segments": np.ones_like(tokens),
        "loss_mask": np.ones(tokens.shape, np.bool_),
    }
    compiling = steps.train([rows], 1).seconds
    times = [steps.train([rows], 1).seconds for _ in range(step.repeats)]
    seconds, memory = statistics.median(times), jax.devices()[0].memory_stats() or {}
    operations = train_flops(config, "lm", tokens.size, step.rows * causal(step.length))
    return {
        "step_s": seconds,
        "step_s_min": min(times),
        "step_s_max": max(times),
        "tokens_per_s": tokens.size / seconds,
        "mfu": operations / seconds / peak(),
        "peak_bytes": memory.get("peak_bytes_in_use", 0),
        "first_step_s": compiling,
    }


def in_a_process(step: Step) -> dict[str, float] | None:
    """The figures of a step, or None where it does not fit.

    Raises RuntimeError: it failed in another way.
    """
    options = [f"--{field.name}={getattr(step, field.name)}" for field in dataclasses.fields(step)]
    ran = subprocess.run([sys.executable, __file__, *options], capture_output=True, text=True, check=False)
    if ran.returncode == 0:
        return json.loads(ran.stdout.splitlines()[-1])
    if FULL in ran.stderr:
        return None
    raise RuntimeError(f"{step} failed:\n{ran.stderr[-2000:]}")


def backend() -> str:
    """Of the processes that run steps; asked in one of them, as whoever asks takes most of a card's memory."""
    code = "import jax; print(jax.default_backend())"
    return subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, check=True).stdout.strip()


def compare(step: Step, most: int) -> dict[str, float]:
    """Steps of 1, 2, 4, … rows, at most `most`; from the first that does not fit on, halfway to what fits."""
    print(f"{step.model}, rows of {step.length}, remat={step.remat}")
    print(f"{'rows':>6}{'step s':>10}{'tokens/s':>12}{'MFU':>8}{'GiB':>8}{'first step s':>14}")
    fits: dict[int, dict[str, float]] = {}
    rows, too_many = 1, most + 1
    while 0 < rows < too_many and rows not in fits:
        found = in_a_process(dataclasses.replace(step, rows=rows))
        _show(rows, found)
        if found is None:
            too_many = rows
        else:
            fits[rows] = found
        largest = max(fits, default=0)
        rows = min(2 * largest, most) if too_many > most else (largest + too_many) // 2
    best = max(fits, key=lambda rows: fits[rows]["mfu"], default=0)
    return {"largest_rows": max(fits, default=0), "best_rows": best, **fits.get(best, {})}


def _show(rows: int, found: dict[str, float] | None) -> None:
    if found is None:
        print(f"{rows:6} does not fit", flush=True)
        return
    memory = found["peak_bytes"] / 2**30
    line = f"{rows:6}{found['step_s']:10.3f}{found['tokens_per_s']:12,.0f}{found['mfu']:8.1%}{memory:8.1f}"
    print(f"{line}{found['first_step_s']:14.1f}", flush=True)


def _seconds(action: Callable[[], object]) -> float:
    start = time.perf_counter()
    jax.block_until_ready(action())
    return time.perf_counter() - start


if __name__ == "__main__":
    print(json.dumps(measured(tyro.cli(Step))))
