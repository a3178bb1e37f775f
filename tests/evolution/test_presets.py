"""The runs of the paper: their configs, and those that start from another run."""

from __future__ import annotations

import asyncio
import dataclasses
import importlib.util
import json
import pathlib
import subprocess
import sys
import types

import jax
import numpy as np
import pytest

from rstar_jax.errors import InputError
from rstar_jax.evolution import presets
from rstar_jax.evolution.base_model import PublishedBase
from rstar_jax.evolution.lab import Lab
from rstar_jax.evolution.machine import Stage, next_stage
from rstar_jax.evolution.run_dir import RunDir
from rstar_jax.evolution.search_stage import growing
from rstar_jax.evolution.stages import make_base
from rstar_jax.files import read_json, write_json, write_jsonl
from rstar_jax.inference.config import EngineConfig
from rstar_jax.models.config import ModelConfig
from rstar_jax.models.convert import Options, convert
from rstar_jax.models.decoder import init_params
from rstar_jax.models.sharding import make_mesh
from rstar_jax.models.store import save_model
from rstar_jax.problems.files import write_problems
from rstar_jax.problems.problem import Problem
from rstar_jax.search.protocols import Path
from rstar_jax.trajectory.tokenizer import train_tokenizer

EXPERIMENTS = pathlib.Path(__file__).parents[2] / "experiments"
CONFIGS = EXPERIMENTS / "configs"


def config_of(name: str, *arguments):
    spec = importlib.util.spec_from_file_location(name, CONFIGS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.config(*arguments)


def test_the_papers_run() -> None:
    """Sections 3.4.1, 3.4.2, 4.1, A.1; the released values where the paper is silent."""
    config = config_of("qwen2_5_math_7b", 3)
    assert (config.base.name, config.seed) == ("Qwen/Qwen2.5-Math-7B", 3)
    sizes = [(one.search.rollouts, one.search.candidates) for one in config.rounds]
    assert sizes == [(8, 5), (16, 8), (16, 8), (16, 16)]
    assert (config.rounds[3].trees, config.rounds[3].escalation) == (2, (80, 128))
    assert {(one.search.c_puct, one.search.max_depth) for one in config.rounds} == {(2.0, 16)}
    policy, ppm = config.policy_training, config.ppm_training
    assert (policy.epochs, policy.batch_size, policy.row_length, policy.learning_rate) == (2, 128, 4096, 7e-6)
    assert (ppm.epochs, ppm.batch_size, ppm.learning_rate, policy.schedule) == (1, 512, 7e-6, "linear")
    assert (config.evaluation.search.rollouts, config.evaluation.search.candidates) == (4, 32)
    assert (config.sampling.temperature, config.bootstrap.temperature, config.bootstrap.shots) == (1.0, 0.7, 2)
    assert (config.base.weights, config.base.compute, config.serve_in) == ("float32", "bfloat16", "bfloat16")
    assert json.loads(json.dumps(dataclasses.asdict(config)))["pairs_from"] == "round"


def test_the_released_run() -> None:
    config = config_of("qwen2_5_math_7b", 0, "released")
    assert [(one.search.rollouts, one.search.candidates, one.trees) for one in config.rounds] == [(48, 12, 1)] * 4
    assert [one.search.prior for one in config.rounds] == ["none", "none", "visit", "visit"]
    assert [one.search.errors_threshold for one in config.rounds] == [2, 2, 1, 1]
    assert (config.grader, config.executor.semantics, config.frame.newlines) == ("released", "released", 2)
    assert (config.ppm_loss.squash, config.ppm_head.dropout, config.ppm_training.epochs) == ("raw", 0.1, 2)
    assert (config.policy_training.row_length, config.output_in_loss) == (2048, True)


@pytest.mark.parametrize("name", ["qwen2_5_math_1_5b", "qwen2_math_7b", "phi3_mini"])
@pytest.mark.parametrize("preset", ["paper", "released"])
def test_the_other_bases_are_trained_once(name: str, preset: str) -> None:
    config = config_of(name, 0, preset)
    (only,) = config.rounds
    assert (only.number, only.proposer, only.searchers) == (4, "none", "another run")
    assert config.evaluation.fixed_policy == 4
    cosine = ("cosine", 5e-6) if name == "phi3_mini" else ("linear", 7e-6)
    assert (config.policy_training.schedule, config.policy_training.learning_rate) == cosine


def test_a_preset_that_there_is_not(tmp_path) -> None:
    for name, words in (("qwen2_5_math_7b:best", "has no preset 'best'"), ("cpu:paper", "it has none")):
        command = [sys.executable, str(EXPERIMENTS / "run_stage.py"), "--config", name, "--stage", "data"]
        done = subprocess.run([*command, "--run-dir", str(tmp_path)], capture_output=True, text=True, check=False)
        assert (done.returncode, words in done.stderr) == (2, True), done.stderr[-2000:]


# --- A run that starts from another one ---------------------------------------------------------------


def save(folder: pathlib.Path, head: str, text: str, d_model: int):
    tokenizer = train_tokenizer([text] * 9, 320)
    model = ModelConfig(tokenizer.vocab_size, d_model=d_model, n_layers=1, n_heads=2, n_kv_heads=1, head_dim=4, d_ff=8)
    with jax.set_mesh(make_mesh()):
        params = init_params(model, jax.random.key(d_model), head)
        save_model(folder, model, head, params, tokenizer, **({"squash": "tanh"} if head == "value" else {}))


@pytest.fixture
def other(tmp_path) -> RunDir:
    """A run whose last round is finished: data, and a PPM of another size and tokenizer than the base to come."""
    other = RunDir(tmp_path / "other")
    for name in ("train", "test"):
        write_problems(other.problems / f"{name}.jsonl", [Problem(name, f"What is {name}?", "2")])
    rows = [{"query": "What?", "response": "<answer>2<end_of_answer>"}]
    write_jsonl(other.data(4) / "sft.jsonl", rows)
    write_json(other.data_counts(4), {"sft_rows": 1, "pair_rows": 0})
    save(other.ppm(4), "value", "Ppm ppm tokens of its own", 8)
    return other


@pytest.fixture
def start_from(monkeypatch):
    monkeypatch.syspath_prepend(str(EXPERIMENTS))
    spec = importlib.util.spec_from_file_location("start_from", EXPERIMENTS / "start_from.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.start_from


def test_a_run_that_starts_from_another_one(tmp_path, other, start_from) -> None:
    save(tmp_path / "ours", "lm", "A base with other tokens", 16)
    convert(Options(str(tmp_path / "ours"), tmp_path / "base", to="hf"))
    whole = presets.paper("x", str(tmp_path / "base"))
    small = EngineConfig(max_length=256, pages=64, page_size=16, tokens=(64,), rows=(16,))
    whole = dataclasses.replace(whole, engine=small, scoring=small, base=PublishedBase(str(tmp_path / "base")))
    config, run = presets.derived(whole), RunDir(tmp_path / "run")
    start_from(run, other, 4)
    start_from(run, other, 4)
    assert next_stage(config, run) == Stage("base", 0)
    assert read_json(run.root / "origin.json")["round"] == 4
    nobody = types.SimpleNamespace()
    lab = Lab(config, run, make_mesh(), nobody, nobody)
    with jax.set_mesh(lab.mesh):
        make_base(lab)
        assert next_stage(config, run) == Stage("policy", 4)
        path = Path(Problem("p", "Ppm tokens?", "2"), ("<answer>2<end_of_answer>",))

        async def score() -> list[float]:
            async with lab.scorer(lab.run.ppm(4)) as scorer:
                assert scorer.engine.config.d_model == 8
                assert scorer.engine.config.compute_dtype == "bfloat16"
                return await scorer.score([path])

        async def propose() -> int:
            async with lab.policy(lab.run.base) as (_, sampling):
                assert sampling.engine.config.param_dtype == "bfloat16"
                return len(await sampling.propose(Path(path.problem, ()), 2, key=0))

        (value,) = asyncio.run(score())
        assert np.isfinite(value)
        assert asyncio.run(propose()) == 2
    with pytest.raises(InputError, match=r"start_from\.py"):
        asyncio.run(_enter(growing(lab, config.rounds[0])))


async def _enter(context) -> None:
    async with context:
        pass


def test_a_round_that_is_not_finished_is_refused(tmp_path, other, start_from) -> None:
    with pytest.raises(InputError, match="round 3 is not finished there"):
        start_from(RunDir(tmp_path / "run"), other, 3)
    other.data_counts(4).unlink()
    with pytest.raises(InputError, match=r"data\.json is missing"):
        start_from(RunDir(tmp_path / "run"), other, 4)
