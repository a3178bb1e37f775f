"""Sharded training is single-device training (in a process of its own: devices are counted at start-up)."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys


def test_eight_devices_train_what_one_trains(tmp_path) -> None:
    script = pathlib.Path(__file__).with_name("sharded.py")
    flags = "--xla_force_host_platform_device_count=8 --xla_backend_optimization_level=0"
    found = subprocess.run(
        [sys.executable, script, tmp_path],
        env=os.environ | {"XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert found.stdout.strip().endswith("equal"), found.stderr[-3000:]
