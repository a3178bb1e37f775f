"""Runs at the scale of the paper: what it states, what its authors' code does, and what we chose where neither says.

`paper` and `released` are whole runs from a base model; `derived` is what the paper does with its three other base
models: one round of training on the data that another run has found (section 4.1).

Ours, in all of them, as neither paper nor code says anything:
  seed            of the config
  engines         pages of 64 tokens and dispatches of hundreds of rows, which TPUs like; bfloat16 weights; a fifth of a
                  chip's memory for the pages of each, so that policy and PPM of 7B fit on four v5e chips
  concurrency     256 problems a host: enough that an engine decodes full batches
  executor        5 s of CPU and 1 GB for a step (the released code has 30 s on the clock and no limit of memory)
  optimizer       see `training.optimizer`; float32 master weights, bfloat16 computation
  evaluation      after every round on the held-out file, 8 trajectories (the paper's number, 16 for AIME and AMC)
Ours in `paper`, since only the code says something:
  temperature     1 for trained policies, 0.7 for the bootstrap model, no top-p: the released code's
  lengths         2,048 tokens of a step, 4,096 of a context: the released code's
  demonstrations  two, as the paper says, but our own: the authors' prompt is not part of the paper
"""

from __future__ import annotations

import dataclasses
from typing import Literal

from rstar_jax.datasets.select import RELEASED_PAIRS, RELEASED_SFT
from rstar_jax.evolution.base_model import PublishedBase
from rstar_jax.evolution.bootstrap.openai_server import OpenAIConfig
from rstar_jax.evolution.config import EvaluationPlan, EvolutionConfig, ProblemsConfig
from rstar_jax.evolution.rounds import Round, paper_rounds
from rstar_jax.execution import ExecutorConfig
from rstar_jax.inference.config import EngineConfig, Sampling
from rstar_jax.search import presets
from rstar_jax.training.optimizer import PAPER_POLICY, RELEASED_POLICY, RELEASED_PPM, TrainConfig
from rstar_jax.training.ppm import RELEASED_HEAD, RELEASED_LOSS
from rstar_jax.trajectory.prompts import RELEASED_SEARCH_FRAME

Preset = Literal["paper", "released"]
BOOTSTRAP = "deepseek-ai/DeepSeek-Coder-V2-Instruct"
BOOTSTRAP_SERVER = "http://localhost:8000/v1"
TRAIN_FILE, TEST_FILE = "data/problems.jsonl", "data/math500.json"
_ENGINE = EngineConfig(
    max_length=4096, page_size=64, block=64, memory_fraction=0.2, tokens=(256, 1024), rows=(64, 256), decode_steps=16
)


def paper(name: str, base: str, seed: int = 0, policy_training: TrainConfig = PAPER_POLICY) -> EvolutionConfig:
    """Four rounds from a base model, with the paper's numbers."""
    return EvolutionConfig(
        name=name,
        seed=seed,
        problems=ProblemsConfig(train_file=TRAIN_FILE, test_file=TEST_FILE),
        bootstrap=OpenAIConfig(base_url=BOOTSTRAP_SERVER, model=BOOTSTRAP),
        base=PublishedBase(base),
        rounds=paper_rounds(),
        sampling=Sampling(temperature=1.0, max_tokens=2048),
        policy_training=policy_training,
        evaluation=EvaluationPlan(search=presets.paper("test")),
        engine=_ENGINE,
        scoring=_ENGINE,
        serve_in="bfloat16",
        executor=ExecutorConfig(cells=16),
        concurrency=256,
    )


def released(name: str, base: str, seed: int = 0, policy_training: TrainConfig = RELEASED_POLICY) -> EvolutionConfig:
    """Four rounds with the released code's settings and semantics.

    The code has one setting for bootstrapping and one for all rounds with a PPM, no second trees and no escalation.
    """
    bootstrap, sample = presets.released("bootstrap"), presets.released("sample")
    whole = paper(name, base, seed, policy_training)
    return dataclasses.replace(
        whole,
        rounds=(
            Round(1, "bootstrap", bootstrap),
            Round(2, "policy", bootstrap),
            Round(3, "policy", sample),
            Round(4, "policy", sample),
        ),
        grader="released",
        frame=RELEASED_SEARCH_FRAME,
        sft_rule=RELEASED_SFT,
        pair_rule=RELEASED_PAIRS,
        output_in_loss=True,
        ppm_training=RELEASED_PPM,
        ppm_loss=RELEASED_LOSS,
        ppm_head=RELEASED_HEAD,
        ppm_held_out=0.05,
        evaluation=EvaluationPlan(search=presets.released("eval")),
        executor=dataclasses.replace(whole.executor, semantics="released"),
    )


def named(preset: Preset, name: str, base: str, seed: int) -> EvolutionConfig:
    """`paper` or `released`."""
    return {"paper": paper, "released": released}[preset](f"{name}, {preset}", base, seed)


def derived(whole: EvolutionConfig) -> EvolutionConfig:
    """A base model trained once, on the last round of another run, whose PPM guides it then."""
    last = dataclasses.replace(whole.rounds[-1], proposer="none")
    evaluation = dataclasses.replace(whole.evaluation, fixed_policy=last.number)
    return dataclasses.replace(whole, rounds=(last,), evaluation=evaluation)
