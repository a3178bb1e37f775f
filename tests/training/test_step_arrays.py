"""No array of batch, length and vocabulary is in a whole training step, on one device or on many.

In a process of its own: devices are counted at start-up.
"""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys


def test_logits_exist_for_a_chunk_at_a_time() -> None:
    script = pathlib.Path(__file__).with_name("step_arrays.py")
    run = subprocess.run(
        [sys.executable, script],
        env=os.environ | {"JAX_NUM_CPU_DEVICES": "8", "JAX_PLATFORMS": "cpu"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr[-3000:]
    found = json.loads(run.stdout)
    all_logits = 8 * 64 * 2048
    assert found["one"] <= all_logits // 8
    shard = all_logits // 8  # rows over four, V over two
    assert found["eight"] <= shard // 8
    assert found["eight, unchunked"] >= shard  # they would be seen
