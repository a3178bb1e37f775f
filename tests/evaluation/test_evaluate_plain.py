"""The script: a whole run with a tiny model, and what it says to wrong input."""

from __future__ import annotations

import os
import pathlib
import shutil
import subprocess
import sys

import jax
import pytest

from rstar_jax.evaluation.results import read_rows
from rstar_jax.files import read_json, write_json
from rstar_jax.models.config import ModelConfig
from rstar_jax.models.decoder import init_params
from rstar_jax.models.sharding import make_mesh
from rstar_jax.problems.files import write_problems
from rstar_jax.problems.problem import Problem
from rstar_jax.training.checkpoints import save_model
from rstar_jax.trajectory import plain_prompts
from rstar_jax.trajectory.tokenizer import train_tokenizer

ROOT = pathlib.Path(__file__).parents[2]
CHATML = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
QUICK = ("--context", "512", "--max-tokens", "24", "--memory-fraction", "0.01")


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
    command = [sys.executable, str(ROOT / "experiments" / "evaluate_plain.py"), *map(str, arguments)]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "JAX_PLATFORMS": "cpu"}
    return subprocess.run(command, capture_output=True, text=True, env=environment, cwd=ROOT, timeout=300)


def test_a_run_leaves_rows_and_numbers_and_is_not_repeated(model, problems, tmp_path):
    easy, hard = problems
    command = ("--model", model, "--problems", easy, "--problems", hard, "--out", tmp_path / "out", "--limit", 2)
    command = (*command, "--n-samples", 3, "--show", 1, *QUICK)
    done = start(*command)
    assert done.returncode == 0, done.stderr
    assert "<|im_start|>user\nWhat is 0 + 1?<|im_end|>" in done.stdout
    assert "easy, 2 problems\n  greedy " in done.stdout
    assert "samples, majority of 3" in done.stdout
    assert "Wilson 95%" in done.stdout
    rows = read_rows(tmp_path / "out" / "hard" / "trajectories.parquet")
    assert [row.method for row in rows] == (["greedy"] + ["sample"] * 3) * 2
    assert all(0 < row.generated_tokens <= 24 for row in rows)
    numbers = read_json(tmp_path / "out" / "plain.json")
    assert {name: [one["solutions"] for one in ways] for name, ways in numbers.items()} == {
        "easy": [2, 6, 6],
        "hard": [2, 6, 6],
    }
    before = (tmp_path / "out" / "plain.json").read_bytes()
    (tmp_path / "out" / "plain.json").unlink()
    again = start(*command)
    assert again.returncode == 0, again.stderr
    assert (tmp_path / "out" / "plain.json").read_bytes() == before
    other = start(*command, "--temperature", 0.3)
    assert (other.returncode, other.stdout.count("Error")) == (2, 0)
    assert "other settings (sampling)" in other.stderr


def test_completion_with_the_tool_needs_no_template(model, problems, tmp_path):
    folder = shutil.copytree(model, tmp_path / "base")
    config = read_json(folder / "tokenizer_config.json")
    del config["chat_template"]
    write_json(folder / "tokenizer_config.json", config)
    command = ("--model", folder, "--problems", problems[0], "--out", tmp_path / "out", *QUICK)
    chat = start(*command)
    assert (chat.returncode, chat.stdout) == (2, "")
    assert chat.stderr == f"Error: {folder} has no chat template; ask this model in completion style\n"
    done = start(*command, "--style", "completion", "--tool", "--shots", 1, "--show", 1)
    assert done.returncode == 0, done.stderr
    assert "Question: How many positive divisors of 360 are even?" in done.stdout


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (("--model", "nowhere"), "nowhere holds no tokenizer"),
        (("--problems", "nowhere.jsonl"), "nowhere.jsonl: no such file"),
        (("--context", "4096"), "--context 4096: the model was made for 512 tokens"),
        (("--limit", "0"), "--limit 0: no problems are left"),
        (("--style", "completion", "--shots", "9"), "--shots 9: there are 2 examples"),
        (("--temperature", "-1"), "a flag has an impossible value"),
        (("--n-samples", "-1"), "a flag has an impossible value"),
        (("--memory-fraction", "2"), "a flag has an impossible value"),
    ],
)
def test_wrong_input_is_one_sentence(model, problems, tmp_path, change, sentence):
    command = ["--model", model, "--problems", problems[0], "--out", tmp_path / "out", *QUICK]
    done = start(*command, *change)
    assert done.returncode == 2
    assert done.stderr.startswith("Error: ")
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.count("\n") == 1


def test_two_files_of_one_name_are_refused(model, problems, tmp_path):
    (tmp_path / "other").mkdir()
    copy = shutil.copy(problems[0], tmp_path / "other")
    done = start("--model", model, "--problems", problems[0], "--problems", copy, "--out", tmp_path / "out")
    assert done.returncode == 2
    assert "another file of problems has the same name" in done.stderr
