"""Two devices, either way, give what one gives."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys

import pytest

SCRIPT = pathlib.Path(__file__).with_name("sharded.py")


@pytest.mark.parametrize("axis", ["tensor", pytest.param("data", marks=pytest.mark.slow)])
def test_two_devices_equal_one(axis):
    shapes = [{}, {axis: 2}]
    run = subprocess.run(
        [sys.executable, str(SCRIPT), *map(json.dumps, shapes)],
        capture_output=True,
        text=True,
        env=os.environ | {"JAX_PLATFORMS": "cpu"},
        check=False,
    )
    assert run.returncode == 0, run.stderr
    one, two = json.loads(run.stdout)
    assert all(one["tokens"][i][0] for i in range(6))
    assert two["tokens"] == one["tokens"]
    assert two["scores"] == pytest.approx(one["scores"], abs=1e-5)
