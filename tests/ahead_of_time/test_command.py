"""Flags that cannot be, and what is printed of what was found."""

from __future__ import annotations

import importlib.util
import json
import pathlib
import subprocess
import sys

import pytest

from rstar_jax.ahead_of_time import command
from rstar_jax.ahead_of_time.command import Flags, compiled_cells, main
from rstar_jax.ahead_of_time.compiling import does_not_fit
from rstar_jax.errors import InputError

SCRIPT = pathlib.Path(__file__).parents[2] / "launch" / "compile_for_topology.py"
needs_libtpu = pytest.mark.skipif(importlib.util.find_spec("libtpu") is None, reason="libtpu is not installed")


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (Flags(topology="v5e"), "no topology"),
        (Flags(tensor=3), "kv heads"),
        (Flags(fsdp=65), "64 chips"),
        (Flags(topology="v5e:2x3", fsdp=3), "d_model"),
        (Flags(job="decode", search=True), "--search is for training"),
        (Flags(job="decode", pages=2), "pages=2"),
        (Flags(length=0), "row_length"),
    ],
)
def test_impossible_flags_are_one_sentence(flags, sentence):
    with pytest.raises(InputError, match=sentence):
        list(compiled_cells(flags))


def test_out_of_memory_is_one_sentence():
    said = (
        "RESOURCE_EXHAUSTED: XLA:TPU compile permanent error. Ran out of memory in memory space hbm. Used 20.50G of "
        "15.75G hbm. Exceeded hbm capacity by 4.75G.\n\nTotal hbm usage >= 20.75G:"
    )
    error = does_not_fit(said)
    assert str(error) == "the program needs 20.50 GiB of each chip's 15.75 GiB"
    assert (error.needed, error.available) == (int(20.5 * 2**30), int(15.75 * 2**30))
    said = "Ran out of memory: required for HLO temporaries (80.93G) exceeds available HBM (15.75G)."
    assert str(does_not_fit(said)) == "the program needs 80.93 GiB of each chip's 15.75 GiB"
    assert "something else" in str(does_not_fit("RESOURCE_EXHAUSTED: something else\nand more"))


def tried(flags: Flags, fits: bool) -> dict:
    cell = {
        "model": flags.model,
        "topology": flags.topology,
        "program": "sft",
        "layers": 28,
        "dtype": "float32",
        "chips": 64,
        "hbm": 95 * 2**30,
        "mesh": {"data": 1, "fsdp": 64, "tensor": 1},
        "step": {"rows": 64, "run": {"row_length": 4096, "microbatches": 1}},
        "tokens": 64 * 4096,
        "by_hand": {"bytes": 2**30},
        "candidates": 100,
        "fitting": 10,
        "fits": fits,
    }
    if not fits:
        return cell | {"sentence": "the program needs 20.50 GiB of each chip's 15.75 GiB"}
    estimate = {"compute": 1.0, "memory": 0.1, "communication": 0.2, "best": 1.0, "worst": 1.3}
    memory = {"arguments": 2**30, "temporaries": 2**30, "outputs": 2**30, "aliased": 2**30, "bytes": 2 * 2**30}
    exchange = {"purpose": "surplus", "kind": "all-reduce", "axes": ["fsdp"], "bytes": 2**20, "times": 3}
    return cell | {
        "estimate": estimate | {"mfu_best": 0.6, "mfu_worst": 0.45},
        "memory": memory,
        "seconds": 30.0,
        "flops": {"useful": 1e12, "done": 1.3e12, "compiled": 1.3e12, "compiler": 1e11},
        "collectives": [exchange | {"what": "jit(step)/somewhere"}],
    }


def test_what_is_printed(monkeypatch, capsys, tmp_path):
    flags = Flags(search=True, json=tmp_path / "found.json")
    cells = [tried(flags, False), tried(flags, True)]
    monkeypatch.setattr(command, "compiled_cells", lambda flags, until_one_fits=False: iter(cells))
    assert main(flags) == 1  # one does not fit
    printed = capsys.readouterr().out
    assert "does not fit: the program needs 20.50 GiB of each chip's 15.75 GiB" in printed
    assert "2.00 GiB of 95.00 GiB a chip, fits" in printed
    assert "surplus      3 collectives, 0.00 GiB; by all-reduce in place of another none" in printed
    assert "MFU 45% to 60%; nothing has run" in printed
    assert "Proposed: --data 1 --fsdp 64 --tensor 1 --batch 1" in printed
    assert json.loads((tmp_path / "found.json").read_text()) == cells


def test_a_table_goes_on_where_it_ended(monkeypatch, capsys, tmp_path):
    calls = []

    def compiled(flags, until_one_fits):
        calls.append((flags.model, flags.topology))
        if len(calls) == 3:
            raise KeyboardInterrupt
        return iter([tried(flags, flags.topology != "v5e-16")])

    monkeypatch.setattr(command, "compiled_cells", compiled)
    with pytest.raises(KeyboardInterrupt):
        main(Flags(table=tmp_path))
    assert main(Flags(table=tmp_path)) == 0
    assert len(calls) == len(set(calls)) + 1 == 13
    lines = capsys.readouterr().out.splitlines()
    assert sum(line.startswith("| qwen") for line in lines) == 12
    assert any("| qwen2.5-math-72b | v5e-16 |" in line and "does not fit" in line for line in lines)


@needs_libtpu
@pytest.mark.slow
@pytest.mark.parametrize("job", ["sft", "ppm", "decode", "score"])
def test_jobs(job, tmp_path):
    # Of a pool much smaller than this the compiler keeps copies in VMEM.
    small = ["--layers", "2", "--length", "256", "--pages", "1024", "--model", "qwen2.5-math-1.5b"]
    found = tmp_path / "found.json"
    run = subprocess.run(
        [sys.executable, str(SCRIPT), "--topology", "v5p:2x2x1", "--job", job, *small, "--json", str(found)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr[-3000:]
    for cell in json.loads(found.read_text()):
        assert cell["fits"]
        assert cell["memory"]["bytes"] < cell["hbm"]
    assert "nothing has run" in run.stdout
