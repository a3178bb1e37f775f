"""The packed form of the PPM loss is the pairwise form, in value and gradient, on one device and on eight."""

from __future__ import annotations

import importlib.util
import os
import pathlib
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

SCRIPT = pathlib.Path(__file__).with_name("pairwise.py")
_SPEC = importlib.util.spec_from_file_location("pairwise", SCRIPT)
pairwise = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(pairwise)

# The lower optimization level compiles in a third of the time; the arithmetic is the same.
FAST = {"compiler_options": {"xla_backend_optimization_level": 0}}


@pytest.fixture(scope="module")
def wanted(mesh):
    return pairwise.each_with_gradient(pairwise.pair_losses, pairwise.random_params(), **FAST)


def test_packed_groups_are_the_pairs_by_themselves(wanted) -> None:
    batch = jax.tree.map(jnp.asarray, pairwise.packed_rows())
    found = pairwise.each_with_gradient(pairwise.packed_losses, pairwise.random_params(), batch, **FAST)
    pairwise.assert_same(found, wanted)
    assert len({round(float(loss), 3) for loss, _ in found}) == 4  # four rules, not one
    assert all(np.abs(gradient["outer"]["embed"]).max() > 1e-3 for _, gradient in found)


@pytest.mark.parametrize("harm", ["branches", "positions", "pair_weights", "better"])
def test_the_comparison_sees_a_wrong_row(wanted, harm: str) -> None:
    """Without branches; with positions that count on; with a pair missing; with a score from the wrong place."""
    rows = pairwise.packed_rows()
    if harm == "branches":
        rows["branches"] = np.zeros_like(rows["branches"])
    elif harm == "positions":
        rows["positions"] = np.where(rows["segments"] > 0, np.arange(pairwise.ROW_LENGTH), 0)
    elif harm == "pair_weights":
        rows["pair_weights"] = rows["pair_weights"] * (np.arange(rows["pair_weights"].shape[1]) != 1)
    else:
        rows["better"] = np.where(rows["pair_weights"] > 0, rows["better"] - 1, 0).clip(0)
    losses = jax.jit(pairwise.packed_losses, **FAST)(pairwise.random_params(), jax.tree.map(jnp.asarray, rows))
    assert all(abs(loss - right) > 3e-5 for loss, (right, _) in zip(losses, wanted, strict=True))


def test_eight_devices_give_the_same() -> None:
    found = subprocess.run(
        [sys.executable, SCRIPT],
        env=os.environ | {"JAX_NUM_CPU_DEVICES": "8", "JAX_PLATFORMS": "cpu"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert found.stdout.strip().endswith("equal"), found.stderr[-3000:]
