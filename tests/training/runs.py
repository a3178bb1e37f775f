"""A training run that takes a second, for the tests of the loop.

`python runs.py WORKDIR kill-at STEP` is a run that kills itself when it asks for the rows of STEP;
`python runs.py WORKDIR kill-in-save SECONDS` so long after the first temporary folder of a save has appeared;
`python runs.py WORKDIR slow SECONDS` one whose steps take so long.
"""

from __future__ import annotations

import functools
import os
import pathlib
import signal
import sys
import threading
import time
from typing import Any

import jax
import numpy as np

from rstar_jax.datasets.packing import Packed, TokenisedSolution, pack_sft
from rstar_jax.models.config import ModelConfig
from rstar_jax.models.decoder import Params, init_params
from rstar_jax.models.sharding import make_mesh
from rstar_jax.training import loop
from rstar_jax.training.optimizer import TrainConfig
from rstar_jax.training.sft import sft_loss

MODEL = ModelConfig(vocab_size=32, d_model=16, n_layers=1, n_heads=2, n_kv_heads=1, head_dim=8, d_ff=16)
CONFIG = TrainConfig(
    epochs=2, batch_size=8, row_length=32, learning_rate=1e-2, remat="none", checkpoint_every=3, warmup=0.2
)


def dataset() -> Packed:
    random = np.random.default_rng(0)
    lengths = random.integers(9, 21, 48)
    return pack_sft([TokenisedSolution(random.integers(1, 32, n).tolist(), [True] * n) for n in lengths], 32)


def first_params() -> Params:
    """Parameters from numpy, which has nothing to compile."""
    random = np.random.default_rng(0)
    shapes = jax.eval_shape(lambda: init_params(MODEL, jax.random.key(0)))
    return jax.tree.map(lambda leaf: random.normal(0, 0.3, leaf.shape).astype(leaf.dtype), shapes)


LOSS = functools.partial(sft_loss, MODEL, remat="none")


def run(workdir: Any, config: TrainConfig = CONFIG, init: Params | None = None, loss: Any = LOSS) -> Params:
    """Train the small model, on one device, in `workdir`."""
    init = first_params() if init is None else init
    task = loop.Task("lm", loss)
    return loop.train(config, MODEL, init, dataset(), task, workdir, make_mesh())


def at_step(step: int, action: Any) -> Any:
    """The loop's data order, with something that happens when `step` asks for its rows."""
    order = loop.batch_rows

    def rows(config: TrainConfig, steps: Any, n_rows: int, index: int) -> np.ndarray:
        if index == step:
            action()
        return order(config, steps, n_rows, index)

    return rows


kill = functools.partial(os.kill, os.getpid(), signal.SIGKILL)


def kill_in_save(folder: pathlib.Path, seconds: float) -> None:
    """Wait for a save to begin, and a little longer."""
    while not any(folder.glob("*orbax-checkpoint-tmp*")):
        time.sleep(0.0005)
    time.sleep(seconds)
    kill()


def slow_loss(seconds: float) -> Any:
    """The same loss, but a step waits on the device."""

    def loss(params: Params, batch: Any) -> Any:
        jax.debug.callback(lambda: time.sleep(seconds))
        return LOSS(params, batch)

    return loss


def main(workdir: str, deed: str, value: float) -> None:
    jax.config.update("jax_platforms", "cpu")
    if deed == "kill-at":
        loop.batch_rows = at_step(int(value), kill)
    if deed == "kill-in-save":
        watched = (pathlib.Path(workdir) / "checkpoints", value)
        threading.Thread(target=kill_in_save, args=watched, daemon=True).start()
    run(workdir, loss=slow_loss(value) if deed == "slow" else LOSS)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], float(sys.argv[3]))
