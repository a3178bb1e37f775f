"""Sharded training is single-device training (in a process of its own: devices are counted at start-up)."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys

import pytest


def run(script: str, *arguments: object) -> None:
    found = subprocess.run(
        [sys.executable, pathlib.Path(__file__).with_name(script), *map(str, arguments)],
        env=os.environ | {"JAX_NUM_CPU_DEVICES": "8", "JAX_PLATFORMS": "cpu"},
        capture_output=True,
        text=True,
        timeout=580,
    )
    assert found.stdout.strip().endswith("equal"), found.stderr[-3000:]


def test_eight_devices_train_what_one_trains(tmp_path) -> None:
    run("sharded.py", tmp_path, "mixed")


@pytest.mark.slow
def test_dropout_and_muon_are_the_same_on_eight_devices(tmp_path) -> None:
    run("sharded.py", tmp_path, "more")


@pytest.mark.slow
def test_each_axis_alone_trains_what_one_device_trains(tmp_path) -> None:
    run("sharded.py", tmp_path, "data", "fsdp", "tensor")


@pytest.mark.slow
def test_a_run_goes_on_on_another_mesh(tmp_path) -> None:
    run("meshes.py", tmp_path)
