"""The engine's programs compile for TPUs, and write over their pools there. Nothing here needs a TPU."""

from __future__ import annotations

import importlib.util
import json
import os
import pathlib
import subprocess
import sys

import pytest

from rstar_jax.ahead_of_time.engine import count_copies

SCRIPT = pathlib.Path(__file__).with_name("compile_engine.py")
SMALL = {"n_layers": 2, "vocab_size": 2048}  # kernels and pools are those of the real model
SHALLOW = {"n_layers": 2}
needs_libtpu = pytest.mark.skipif(importlib.util.find_spec("libtpu") is None, reason="libtpu is not installed")


def footprints(**case) -> dict[str, dict]:
    """A process of its own: JAX must see no other platform, and what libtpu does to a process stays there."""
    run = subprocess.run(
        [sys.executable, str(SCRIPT), json.dumps(case)],
        capture_output=True,
        text=True,
        env=os.environ | {"JAX_PLATFORMS": "cpu"},
        check=False,
    )
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


def assert_in_place(programs: dict[str, dict]) -> None:
    for name, compiled in programs.items():
        assert compiled["in_place"], f"{name} copies its pool: {compiled}"
        assert compiled["temporaries"] < compiled["layer_bytes"], f"{name} may hold a second pool: {compiled}"


# Pools of 1024 pages would fit a chip's VMEM, where the compiler likes to have things. A layer's pool of 16384 pages is
# more than all temporaries of a real vocabulary, so one among them would show.
@needs_libtpu
@pytest.mark.parametrize(
    ("chips", "model", "mesh"),
    [
        pytest.param("v5e:2x2", "qwen2.5-math-1.5b", {}, id="v5e, one chip"),
        pytest.param("v5p:2x2x1", "qwen2.5-0.5b", {"data": 2, "tensor": 2}, id="v5p, heads of 64, data and tensor"),
    ],
)
def test_programs_compile_and_write_in_place(chips, model, mesh):
    programs = footprints(chips=chips, model=model, model_changes=SMALL, head="lm", mesh=mesh, pages=1024)
    assert set(programs) == {"copy", "extend 512", "decode 64"}
    assert_in_place(programs)


@needs_libtpu
@pytest.mark.slow
@pytest.mark.parametrize("head", ["lm", "value"])
@pytest.mark.parametrize(
    ("model", "mesh"),
    [
        pytest.param("qwen2.5-math-1.5b", {"data": 2, "tensor": 2}, id="1.5B on four"),
        pytest.param("qwen2.5-math-7b", {"tensor": 4}, id="7B on four"),
        pytest.param("qwen2.5-math-1.5b", {"fsdp": 2}, id="1.5B on two, weights shared"),
        pytest.param("qwen2.5-0.5b", {}, id="heads of 64"),
    ],
)
@pytest.mark.parametrize("chips", ["v5e:2x2", "v5p:2x2x1", "v6e:2x2"])
def test_real_vocabularies(chips, model, mesh, head):
    assert_in_place(footprints(chips=chips, model=model, model_changes=SHALLOW, head=head, mesh=mesh, pages=16384))


@needs_libtpu
@pytest.mark.slow
@pytest.mark.parametrize(
    ("chips", "model", "mesh"),
    [("v5e:2x2", "qwen2.5-math-1.5b", {}), ("v5p:2x2x1", "qwen2.5-math-7b", {"tensor": 2})],
)
def test_all_layers(chips, model, mesh):
    programs = footprints(chips=chips, model=model, model_changes={}, head="lm", mesh=mesh, pages=1024)
    assert all(compiled["in_place"] for compiled in programs.values()), programs


def test_copies_of_a_pool_are_counted():
    layout = "{3,2,1,0:T(4,128)(2,1)%s}"
    made = [
        ("1024,64,4,128", "", "fusion"),  # in place
        ("1024,64,4,128", "", "copy"),
        ("1024,64,4,128", "S(1)", "copy-done"),
        ("1024,64,4,128", "", "copy-done"),
        ("1024,64,4,128", "S(1)", "custom-call"),  # brought to VMEM in slices, which this puts together
        ("1024,64,8,128", "", "copy"),  # something else
    ]
    hlo = "\n".join(f"  %x.{i} = bf16[{s}]{layout % m} {op}(%y)" for i, (s, m, op) in enumerate(made))
    assert count_copies(hlo, (1024, 64, 4, 128)) == 4
