"""One of several processes that train together, on loopback; `test_processes.py` starts them.

    python processes.py WORKDIR JOB N_PROCESSES INDEX PORT SECONDS

Each process has as many CPU devices as JAX_NUM_CPU_DEVICES says; all devices together are four. SECONDS pass before
each step.
"""

from __future__ import annotations

import dataclasses
import functools
import importlib.util
import pathlib
import sys
import time
from typing import Any

import jax
import numpy as np

from rstar_jax.models.decoder import Params
from rstar_jax.models.sharding import make_mesh
from rstar_jax.training import loop
from rstar_jax.training.ppm import ppm_loss
from rstar_jax.training.sft import sft_loss

_SPEC = importlib.util.spec_from_file_location("training_sharded", pathlib.Path(__file__).with_name("sharded.py"))
sharded: Any = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(sharded)

sharded.MODEL = dataclasses.replace(sharded.MODEL, d_ff=512)  # arrays so large that each process saves files of them
CONFIG = dataclasses.replace(sharded.CONFIG, epochs=6, checkpoint_every=5)


def train(workdir: str, job: str) -> Params:
    """Over `data` and `fsdp` the policy, over `fsdp` and `tensor` the PPM."""
    if job == "policy":
        task = loop.Task("lm", functools.partial(sft_loss, sharded.MODEL, chunk=8))
        data, mesh = sharded.sft_data(), (2, 2, 1)
    else:
        loss = functools.partial(ppm_loss, sharded.MODEL, dropout=0.1)
        task, data, mesh = loop.Task("value", loss, drops=True), sharded.pair_data(), (1, 2, 2)
    params = sharded.random_params(task.head)
    return loop.train(CONFIG, sharded.MODEL, params, data, task, workdir, make_mesh(*mesh), held_out=data)


def slowly(seconds: float) -> Any:
    order = loop.batch_rows

    def rows(*args: Any) -> np.ndarray:
        time.sleep(seconds)
        return order(*args)

    return rows


if __name__ == "__main__":
    workdir, job, n_processes, index, port, seconds = sys.argv[1:]
    jax.config.update("jax_platforms", "cpu")
    if n_processes != "1":
        jax.distributed.initialize(f"127.0.0.1:{port}", int(n_processes), int(index))
    assert jax.device_count() == 4
    loop.batch_rows = slowly(float(seconds))
    train(workdir, job)
