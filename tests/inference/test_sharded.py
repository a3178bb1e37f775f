"""Two devices, either way, give what one gives."""

from __future__ import annotations

import json
import pathlib
import subprocess
import sys

import pytest

SCRIPT = pathlib.Path(__file__).with_name("sharded.py")


def test_two_devices_equal_one():
    shapes = [{}, {"tensor": 2}, {"data": 2}]
    run = subprocess.run(
        [sys.executable, str(SCRIPT), *map(json.dumps, shapes)],
        capture_output=True,
        text=True,
        env={"JAX_PLATFORMS": "cpu", "PATH": ""},
        check=False,
    )
    assert run.returncode == 0, run.stderr
    one, *others = json.loads(run.stdout)
    assert all(one["tokens"][i][0] for i in range(6))
    for other in others:
        assert other["tokens"] == one["tokens"]
        assert other["scores"] == pytest.approx(one["scores"], abs=1e-5)
