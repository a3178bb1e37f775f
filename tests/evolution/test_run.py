"""A whole run in miniature: real processes, real kills."""

import dataclasses
import importlib.util
import json
import pathlib
import signal
import subprocess
import sys
import time

import pytest

from rstar_jax.errors import InputError
from rstar_jax.evolution.run_dir import RunDir, claim

ROOT = pathlib.Path(__file__).parents[2]
TINY = pathlib.Path(__file__).with_name("tiny_config.py")
# What an undisturbed run and a killed one must have in common, to the byte.
COMPARED = ("problems/*.jsonl", "round*/trees/shard-*.parquet", "round*/data/*.jsonl", "report/summary.json")


def tiny_config(seed=0):
    spec = importlib.util.spec_from_file_location("tiny_config", TINY)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.config(seed)


def evolve(folder, *more):
    command = [sys.executable, str(ROOT / "experiments" / "evolve.py"), "--config", str(TINY)]
    return subprocess.Popen(
        [*command, "--run-dir", str(folder), *more], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def contents(folder):
    found = {
        str(file.relative_to(folder)): file.read_bytes()
        for pattern in COMPARED
        for file in sorted(folder.glob(pattern))
    }
    summary = json.loads(found["report/summary.json"])
    return found | {"report/summary.json": timeless(summary)}


def timeless(value):
    """Without the wall time of problems."""
    if isinstance(value, list):
        return list(map(timeless, value))
    if isinstance(value, dict):
        return {name: timeless(inner) for name, inner in value.items() if name != "seconds"}
    return value


def weights(folder):
    import jax
    import numpy as np

    from rstar_jax.models.sharding import make_mesh
    from rstar_jax.models.store import load_model

    models = [folder / "base", *sorted(folder.glob("round*/policy")), *sorted(folder.glob("round*/ppm"))]
    return {
        str(model.relative_to(folder)): [np.asarray(x) for x in jax.tree.leaves(load_model(model, make_mesh())[1])]
        for model in models
    }


def test_a_run_directory_belongs_to_one_config(tmp_path):
    config = tiny_config()
    claim(RunDir(tmp_path), config)
    executor = dataclasses.replace(config.executor, cells=7, require_sandbox=True)
    claim(RunDir(tmp_path), dataclasses.replace(config, concurrency=3, executor=executor))
    other = dataclasses.replace(config, rounds=(dataclasses.replace(config.rounds[0], trees=2), *config.rounds[1:]))
    with pytest.raises(InputError, match=r"rounds\[0\].trees: was 1, now 2"):
        claim(RunDir(tmp_path), other)


def test_an_unknown_config_is_one_sentence(tmp_path):
    process = subprocess.run(
        [sys.executable, str(ROOT / "experiments" / "evolve.py"), "--config", "nonsense", "--run-dir", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 2
    assert process.stderr.strip().count("\n") == 0
    assert "nonsense" in process.stderr
    assert not any(tmp_path.iterdir())


def test_a_hole_in_the_sandbox_is_refused_where_the_command_line_says_so(tmp_path):
    leaky = tmp_path / "leaky.py"
    leaky.write_text(
        "import dataclasses, runpy\n"
        "def config(seed=0):\n"
        f"    whole = runpy.run_path({str(TINY)!r})['config'](seed)\n"
        "    return dataclasses.replace(whole, executor=dataclasses.replace(whole.executor, left_out=('seccomp',)))\n"
    )
    command = [sys.executable, str(ROOT / "experiments" / "round1_bootstrap.py"), "--config", str(leaky)]
    process = subprocess.run(
        [*command, "--run-dir", str(tmp_path / "run"), "--require-sandbox"],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert process.returncode == 2, process.stderr[-2000:]
    assert "a hole here: system calls are not filtered" in process.stderr.strip().splitlines()[-1]
    assert "Traceback" not in process.stderr


@pytest.mark.slow
def test_a_killed_run_ends_as_an_undisturbed_one(tmp_path):
    out, err = (whole := evolve(tmp_path / "whole")).communicate()
    assert whole.returncode == 0, err[-3000:]
    assert "Table 2" in out
    expected = contents(tmp_path / "whole")
    assert len(expected) == 2 + 4 + 16 + 1
    parts = "trees/parts/*/*"
    stages = [f"round1/{parts}", "base/run.json", "round1/ppm/run.json", f"round2/{parts}", "round4/policy"]
    for stage in stages:
        process = evolve(tmp_path / "killed")
        deadline = time.monotonic() + 300
        while not any((tmp_path / "killed").glob(stage)) and time.monotonic() < deadline:
            assert process.poll() is None, process.communicate()[1][-3000:]
            time.sleep(0.02)
        time.sleep(0.3)
        process.send_signal(signal.SIGKILL)
        process.communicate()
    _, err = (last := evolve(tmp_path / "killed")).communicate()
    assert last.returncode == 0, err[-3000:]
    found = contents(tmp_path / "killed")
    assert [name for name in expected if found.get(name) != expected[name]] == []
    ours, theirs = weights(tmp_path / "killed"), weights(tmp_path / "whole")
    assert ours.keys() == theirs.keys()
    for name, leaves in ours.items():
        assert all((a == b).all() for a, b in zip(leaves, theirs[name], strict=True)), name

    start = time.monotonic()
    again = evolve(tmp_path / "whole")
    out, _ = again.communicate()
    assert "is finished" in out
    assert time.monotonic() - start < 30
    assert json.loads((tmp_path / "whole/report/summary.json").read_text())["seed"] == 0
    changed = evolve(tmp_path / "whole", "--seed", "1")
    assert changed.wait() == 2
    assert "another config" in changed.communicate()[1]
