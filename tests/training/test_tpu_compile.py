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


@pytest.mark.parametrize("job", ["sft", "ppm"])
@pytest.mark.parametrize(
    ("model", "mesh"),
    [
        pytest.param("qwen2.5-0.5b", {"fsdp": 4}, id="heads of 64"),
        pytest.param("phi-3-mini-4k", {"fsdp": 4}, id="heads of 96, window"),
        pytest.param("qwen2.5-math-1.5b", {"fsdp": 2, "tensor": 2}, id="heads of 128, tensor"),
    ],
)
@pytest.mark.parametrize("chips", ["v5e:2x2", "v5p:2x2x1", "v6e:2x2"])
def test_no_array_of_length_by_length(chips, model, mesh, job):
    step = compiled(chips=chips, model=model, mesh=mesh, job=job)
    assert step["squares"] == []
    assert step["kernels"] == {"fwd": 2, "dq": 1, "dkv": 1}  # in a loop over layers; forward again backward
    assert step["gathers"]
    assert all(gather.startswith("bf16") for gather in step["gathers"]), step["gathers"]


def test_policies_keep_what_they_promise():
    """D is 1536, attention and heads of keys 1536 and 256; the layers' share of a shard's four rows, in bfloat16."""
    layers, D, heads, both, F = 8, 1536, 1536, 1536 + 256, 2560
    found = {
        remat: compiled(model="qwen2.5-math-1.5b", remat=remat, changes={"n_layers": layers})
        for remat in ("none", "products", "attention", "full", "offload")
    }
    sizes = {remat: step["temporaries"] for remat, step in found.items()}
    assert sorted(sizes, key=lambda remat: sizes[remat]) == ["offload", "full", "attention", "products", "none"]
    tokens = 2 * layers * 4 * LENGTH
    assert sizes["attention"] - sizes["full"] == pytest.approx(tokens * heads, rel=0.15)
    assert sizes["products"] - sizes["full"] == pytest.approx(tokens * (D + 2 * both + 2 * F), rel=0.15)
    assert found["offload"]["host"] >= tokens * D > found["full"]["host"]
    assert {remat: step["kernels"]["fwd"] for remat, step in found.items()} == {
        "none": 1,
        "products": 1,
        "attention": 1,
        "full": 2,
        "offload": 2,
    }
