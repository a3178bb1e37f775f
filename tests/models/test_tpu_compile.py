"""Attention of packed rows compiles for TPUs, without an array of length by length. It takes no TPU."""

from __future__ import annotations

import importlib.util
import json
import os
import pathlib
import subprocess
import sys

import pytest

SCRIPT = pathlib.Path(__file__).with_name("compile_for_tpu.py")


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("libtpu") is None, reason="libtpu is not installed")
@pytest.mark.parametrize("chips", ["v5e:2x2", "v5p:2x2x1", "v6e:2x2"])
def test_attention_compiles(chips):
    run = subprocess.run(
        [sys.executable, str(SCRIPT), chips],
        capture_output=True,
        text=True,
        env=os.environ | {"JAX_PLATFORMS": "cpu"},
        check=False,
    )
    assert run.returncode == 0, run.stderr[-3000:]
    cases = json.loads(run.stdout)
    assert len(cases) == 6
    for case in cases:
        assert case == {"squares": [], "kernels": ["splash_mha_dkv", "splash_mha_dq", "splash_mha_fwd"]}
