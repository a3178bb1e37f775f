"""The script: a whole run with a tiny model, and what it says to wrong input."""

from __future__ import annotations

import asyncio
import dataclasses
import importlib.util
import os
import pathlib
import shutil
import subprocess
import sys
from types import ModuleType

import jax
import pytest

from rstar_jax.errors import InputError
from rstar_jax.evaluation.results import read_rows
from rstar_jax.files import read_json, write_json
from rstar_jax.models.config import ModelConfig
from rstar_jax.models.decoder import init_params
from rstar_jax.models.sharding import make_mesh
from rstar_jax.models.store import save_model
from rstar_jax.problems.files import write_problems
from rstar_jax.problems.problem import Problem
from rstar_jax.trajectory import plain_prompts
from rstar_jax.trajectory.tokenizer import train_tokenizer

ROOT = pathlib.Path(__file__).parents[2]
CHATML = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
SCRIPT = ROOT / "experiments" / "evaluate_plain.py"
QUICK = ("--context", "512", "--max-tokens", "24", "--memory-fraction", "0.01")


@pytest.fixture(scope="module")
def script() -> ModuleType:
    """The script as a module: most of it needs no process of its own."""
    spec = importlib.util.spec_from_file_location("evaluate_plain", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> pathlib.Path:
    """A random model in a folder, with a chat template."""
    folder = tmp_path_factory.mktemp("model")
    examples = [text for pair in plain_prompts.EXAMPLES for text in pair]
    tokenizer = train_tokenizer([plain_prompts.REASON, *examples] * 3, 640)
    config = ModelConfig(
        vocab_size=-(-tokenizer.vocab_size // 64) * 64,
        d_model=32,
        n_layers=1,
        n_heads=4,
        n_kv_heads=2,
        head_dim=8,
        d_ff=48,
        max_length=512,
    )
    with jax.set_mesh(make_mesh()):
        save_model(folder, config, "lm", init_params(config, jax.random.key(0)), tokenizer)
    path = folder / "tokenizer_config.json"
    write_json(path, read_json(path) | {"chat_template": CHATML})
    return folder


@pytest.fixture
def problems(tmp_path) -> list[pathlib.Path]:
    for name in ("easy", "hard"):
        write_problems(tmp_path / f"{name}.jsonl", [Problem(f"{name}-{i}", f"What is {i} + 1?", "3") for i in range(3)])
    return [tmp_path / "easy.jsonl", tmp_path / "hard.jsonl"]


def start(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCRIPT), *map(str, arguments)]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "JAX_PLATFORMS": "cpu"}
    return subprocess.run(command, capture_output=True, text=True, env=environment, cwd=ROOT, timeout=300)


def flags_of(script: ModuleType, model: pathlib.Path, problems: pathlib.Path, out: pathlib.Path, /, **changes):
    flags = script.Flags(str(model), (problems,), out, context=512, max_tokens=24, memory_fraction=0.01)
    return dataclasses.replace(flags, **changes)


def test_a_run_leaves_rows_and_numbers_and_is_not_repeated(script, model, problems, tmp_path):
    easy, hard = problems
    out = tmp_path / "out"
    command = ("--model", model, "--problems", easy, "--problems", hard, "--out", out, "--limit", 2)
    done = start(*command, "--n-samples", 3, "--show", 1, *QUICK)
    assert done.returncode == 0, done.stderr
    assert "<|im_start|>user\nWhat is 0 + 1?<|im_end|>" in done.stdout
    assert "easy, 2 problems\n  greedy " in done.stdout
    assert "samples, majority of 3" in done.stdout
    assert "Wilson 95%" in done.stdout
    rows = read_rows(out / "hard" / "trajectories.parquet")
    assert [row.method for row in rows] == (["greedy"] + ["sample"] * 3) * 2
    assert all(0 < row.generated_tokens <= 24 for row in rows)
    numbers = read_json(out / "plain.json")
    assert [[one["solutions"] for one in numbers[name]] for name in ("easy", "hard")] == [[2, 6, 6]] * 2

    parts = {path: path.stat().st_mtime_ns for path in out.rglob("parts/*")}
    flags = flags_of(script, model, easy, out, problems=(easy, hard), limit=2, n_samples=3)
    asyncio.run(script.evaluate_all(flags))
    assert {path: path.stat().st_mtime_ns for path in out.rglob("parts/*")} == parts
    assert read_json(out / "plain.json") == numbers


def test_completion_with_the_tool_needs_no_template(script, model, problems, tmp_path, capsys):
    folder = shutil.copytree(model, tmp_path / "base")
    config = read_json(folder / "tokenizer_config.json")
    del config["chat_template"]
    write_json(folder / "tokenizer_config.json", config)
    chat = start("--model", folder, "--problems", problems[0], "--out", tmp_path / "out", *QUICK)
    assert (chat.returncode, chat.stdout) == (2, "")
    assert chat.stderr == f"Error: {folder} has no chat template; ask this model in completion style\n"
    flags = flags_of(script, folder, problems[0], tmp_path / "out", style="completion", tool=True, shots=1, show=1)
    asyncio.run(script.evaluate_all(flags))
    assert "Question: How many positive divisors of 360 are even?" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"model": "nowhere"}, "nowhere: no such folder"),
        ({"problems": ()}, "no --problems are given"),
        ({"context": 4096}, "--context 4096: the model was made for 512 tokens"),
        ({"limit": 0}, "--limit 0: no problems are left"),
        ({"style": "completion", "shots": 9}, "--shots 9: there are 2 examples"),
        ({"tool": True, "calls": 0}, "impossible value: calls=0"),
        ({"n_samples": -1}, "impossible value: n_trajectories"),
        ({"memory_fraction": 2.0}, "impossible value: memory_fraction=2.0"),
    ],
)
def test_wrong_input_is_an_input_error(script, model, problems, tmp_path, change, sentence):
    with pytest.raises(InputError, match=sentence):
        asyncio.run(script.evaluate_all(flags_of(script, model, problems[0], tmp_path / "out", **change)))


def test_two_files_of_one_name_are_refused(script, model, problems, tmp_path):
    (tmp_path / "other").mkdir()
    copy = pathlib.Path(shutil.copy(problems[0], tmp_path / "other"))
    flags = flags_of(script, model, problems[0], tmp_path / "out", problems=(problems[0], copy))
    with pytest.raises(InputError, match="another file of problems has the same name"):
        script.read_all(flags)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (("--problems", "nowhere.jsonl"), "Error: nowhere.jsonl: no such file\n"),
        (("--temperature", "-1"), "Error: a flag has an impossible value: impossible sampling parameters"),
    ],
)
def test_wrong_input_ends_with_one_sentence(model, problems, tmp_path, change, sentence):
    done = start("--model", model, "--problems", problems[0], "--out", tmp_path / "out", *change)
    assert done.returncode == 2
    assert done.stderr.startswith(sentence)
    assert done.stderr.count("\n") == 1
