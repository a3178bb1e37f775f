"""Run in a process of its own with eight CPU devices: a run that goes on on other devices.

Prints "equal" at the end; anything else is a failure. `test_sharded.py` starts it.
"""

from __future__ import annotations

import dataclasses
import functools
import importlib.util
import pathlib
import signal
import sys
from typing import Any

import jax
import numpy as np
import pytest

from rstar_jax.errors import InputError
from rstar_jax.models.decoder import Params
from rstar_jax.models.sharding import make_mesh
from rstar_jax.training import loop
from rstar_jax.training.optimizer import TrainConfig
from rstar_jax.training.sft import sft_loss

_SPEC = importlib.util.spec_from_file_location("training_sharded", pathlib.Path(__file__).with_name("sharded.py"))
sharded: Any = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(sharded)

CONFIG = dataclasses.replace(sharded.CONFIG, microbatches=1, epochs=4)
DATA = sharded.sft_data()
TASK = loop.Task("lm", functools.partial(sft_loss, sharded.MODEL, chunk=8))


def run(workdir: pathlib.Path, *mesh: int, config: TrainConfig = CONFIG, stop: int | None = None) -> Params | None:
    """All steps, or those until SIGTERM comes within step `stop`; on a mesh (data, fsdp, tensor)."""
    order = loop.batch_rows

    def rows(config: TrainConfig, steps: Any, n_rows: int, index: int) -> np.ndarray:
        if index + 1 == stop:
            signal.raise_signal(signal.SIGTERM)
        return order(config, steps, n_rows, index)

    loop.batch_rows = rows
    try:
        params = sharded.random_params("lm")
        return loop.train(config, sharded.MODEL, params, DATA, TASK, workdir, make_mesh(*mesh))
    except SystemExit:
        return None
    finally:
        loop.batch_rows = order


def goes_on(workdir: pathlib.Path) -> None:
    """Saved on fsdp=4; then tensor=2 and data=2; then one device; then data=4 in the same number of rows."""
    whole = run(workdir / "whole", 1, 4, 1)
    assert run(workdir / "moved", 1, 4, 1, stop=2) is None
    assert run(workdir / "moved", 2, 1, 2, stop=4) is None
    assert run(workdir / "moved", 1, 1, 1, stop=6) is None
    moved = run(workdir / "moved", 4, 1, 1)
    close = functools.partial(np.testing.assert_allclose, rtol=1e-5, atol=1e-5)
    jax.tree.map(lambda a, b: close(np.asarray(a), np.asarray(b)), moved, whole)


def says_what_does_not_fit(workdir: pathlib.Path) -> None:
    """Eight rows a step: four devices with three microbatches would need twelve; another batch is another run."""
    assert run(workdir, 1, 4, 1, stop=2) is None
    with pytest.raises(InputError, match=r"was begun with 8 rows per step.*data \* fsdp \* microbatches"):
        run(workdir, 1, 4, 1, config=dataclasses.replace(CONFIG, microbatches=3))
    with pytest.raises(InputError, match="another run"):
        run(workdir, 1, 4, 1, config=dataclasses.replace(CONFIG, batch_size=4))


if __name__ == "__main__":
    assert len(jax.devices()) == 8
    goes_on(pathlib.Path(sys.argv[1]))
    says_what_does_not_fit(pathlib.Path(sys.argv[1]) / "fit")
    print("equal")
