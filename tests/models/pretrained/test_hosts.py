"""Loading onto meshes: the same parameters, each process reads its share only, and memory stays near what is kept."""

from __future__ import annotations

import json
import os
import pathlib
import socket
import subprocess
import sys

import pytest

from tests.models.pretrained import families

torch = pytest.importorskip("torch")
HERE = pathlib.Path(__file__).parent


def start(script: str, *arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, str(HERE / script), *map(str, arguments)]
    environment = os.environ | {"JAX_PLATFORMS": "cpu"}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finish(process: subprocess.Popen[str]) -> str:
    out, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors[-3000:]
    return out.splitlines()[-1]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("phi3")  # fused projections, and a vocabulary that needs padding
    families.make("phi3", folder, max_shard_size="60KB")
    return folder


def on_one_device(folder):
    return json.loads(finish(start("hosts.py", folder, "", 0, 1, 1, 1, 1)))


def test_a_mesh_of_four_devices_holds_the_same(folder):
    one, four = on_one_device(folder), json.loads(finish(start("hosts.py", folder, "", 0, 1, 4, 2, 2)))
    assert four["digest"] == one["digest"]
    assert four["total"] == one["total"]


@pytest.mark.parametrize(("fsdp", "tensor"), [(2, 1), pytest.param(1, 2, marks=pytest.mark.slow)])
def test_each_of_two_processes_reads_its_half(folder, fsdp, tensor):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    processes = [start("hosts.py", folder, address, rank, 2, 1, fsdp, tensor) for rank in range(2)]
    one, both = on_one_device(folder), [json.loads(finish(process)) for process in processes]
    for found in both:
        assert found["digest"] == one["digest"]
        assert found["read"] < 0.55 * one["read"]


@pytest.mark.parametrize("form", ["stacked", pytest.param("list", marks=pytest.mark.slow)])
def test_memory_stays_below_1_3_times_what_is_kept(form, tmp_path):
    """600 MB of bfloat16, read as they are."""
    import transformers

    sizes = families.SIZES | {
        "vocab_size": 32000,
        "hidden_size": 1024,
        "intermediate_size": 4096,
        "num_hidden_layers": 16,
        "num_attention_heads": 16,
        "num_key_value_heads": 4,
    }
    torch.manual_seed(0)
    with torch.device("meta"):
        model = transformers.AutoModelForCausalLM.from_config(transformers.Qwen2Config(**sizes))
    model = model.to(torch.bfloat16).to_empty(device="cpu")
    model.save_pretrained(tmp_path / "large", max_shard_size="200MB")
    families.make("qwen2", tmp_path / "small", torch.bfloat16)
    found = finish(start("memory.py", tmp_path / "large", tmp_path / "small", "bfloat16", form))
    ratio, kept, _ = map(float, found.split())
    assert kept > 500
    assert ratio < 1.3
