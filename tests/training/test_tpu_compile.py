"""Training steps compile for TPUs, and nothing in them is as large as a row is long, squared. It takes no TPU."""

from __future__ import annotations

import importlib.util
import json
import os
import pathlib
import subprocess
import sys

import pytest

SCRIPT = pathlib.Path(__file__).with_name("compile_for_tpu.py")
LENGTH = 4096
# Small vocabularies and feed-forwards, so that no other two sides of an array are as long as a row; all else is real.
SHALLOW = {"n_layers": 2, "vocab_size": 2048, "d_ff": 2560, "compute_dtype": "bfloat16", "param_dtype": "float32"}

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(importlib.util.find_spec("libtpu") is None, reason="libtpu is not installed"),
]


def compiled(**case) -> dict:
    """A process of its own: JAX must see no other platform, and what libtpu does to a process stays there."""
    defaults = {"chips": "v5p:2x2x1", "job": "sft", "mesh": {}, "remat": "full", "rows": 4, "length": LENGTH}
    case = defaults | case | {"changes": SHALLOW | case.get("changes", {})}
    run = subprocess.run(
        [sys.executable, str(SCRIPT), json.dumps(case)],
        capture_output=True,
        text=True,
        env=os.environ | {"JAX_PLATFORMS": "cpu"},
        check=False,
    )
    assert run.returncode == 0, run.stderr[-3000:]
    return json.loads(run.stdout)


@pytest.mark.parametrize(
    ("chips", "model", "mesh", "job"),
    [
        pytest.param("v5p:2x2x1", "qwen2.5-math-1.5b", {"fsdp": 2, "tensor": 2}, "sft", id="v5p, heads of 128, policy"),
        pytest.param("v6e:2x2", "qwen2.5-math-1.5b", {"fsdp": 2, "tensor": 2}, "ppm", id="v6e, heads of 128, PPM"),
        pytest.param("v5e:2x2", "phi-3-mini-4k", {"fsdp": 4}, "ppm", id="v5e, heads of 96, window, PPM"),
    ],
)
def test_no_array_of_length_by_length(chips, model, mesh, job):
    step = compiled(chips=chips, model=model, mesh=mesh, job=job)
    assert step["squares"] == []
    assert all(step["kernels"].values()), step["kernels"]
    assert step["gathers"]
    assert all(gather.startswith("bf16") for gather in step["gathers"]), step["gathers"]


def test_what_policies_keep():
    """Kept heads spare the forward kernel; inputs of layers wait in the host's memory."""
    heads, offload = (compiled(model="qwen2.5-math-1.5b", remat=remat) for remat in ("attention", "offload"))
    assert heads["kernels"] == {"fwd": 1, "dq": 1, "dkv": 1}
    assert offload["kernels"] == {"fwd": 2, "dq": 1, "dkv": 1}
    assert offload["host"] > 0 == heads["host"]
    assert offload["temporaries"] < heads["temporaries"]
