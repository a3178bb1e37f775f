"""A finished run in a folder, in no time: a policy that writes real solutions, and a PPM that judges them by chance.

The policy is a decoder whose layers add nothing, so that each token depends on the one before it alone, and whose
weights are counted from some solutions: it draws a number, prints it, and answers with another. The PPM is random, but
a function of the path.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
import math
import pathlib
import sys

import jax
import jax.numpy as jnp
import numpy as np

from rstar_jax.evolution.run_dir import RunDir
from rstar_jax.execution import ExecutorConfig
from rstar_jax.inference.config import EngineConfig, Sampling
from rstar_jax.models.config import ModelConfig
from rstar_jax.models.decoder import Params, init_params, value_params
from rstar_jax.models.sharding import make_mesh
from rstar_jax.models.store import save_model
from rstar_jax.search import presets
from rstar_jax.trajectory.prompts import policy_prompt
from rstar_jax.trajectory.tokenizer import Tokenizer, train_tokenizer

CONTEXT = 192
ROUND = 4
SIZES = EngineConfig(max_length=CONTEXT, pages=600, tokens=(64,), rows=(32,))
SETTINGS = {
    "name": "cpu",
    "rounds": [{"number": number} for number in range(1, ROUND + 1)],
    "evaluation": {"search": dataclasses.replace(presets.default("eval"), rollouts=3, candidates=4)},
    "sampling": Sampling(max_tokens=48),
    "engine": SIZES,
    "scoring": SIZES,
    "executor": ExecutorConfig(wall_seconds=120.0, snapshots=0),  # on a busy machine too
    "frame": {"newlines": 1},
    "serve_in": None,
}


def steps(digit: int) -> list[tuple[str, str]]:
    """Each step that the policy has seen, behind what it follows. What a program prints does not decide the answer."""
    return [
        (policy_prompt("What?"), f"<code>\nx ={digit} # a number<end_of_step>"),
        ("<end_of_step>", "\nprint(x) # once more<end_of_code>"),
        ("<end_of_output>", f"\n<answer>It is \\boxed{{{digit}}}.<end_of_answer>"),
    ]


SEEN = [step for digit in range(1, 6) for step in steps(digit)]


def write_run(root: pathlib.Path) -> RunDir:
    """A finished run of a config named "cpu" with the models of its last round."""
    run = RunDir(root)
    tokenizer = train_tokenizer([before + step for before, step in SEEN] * 2, 420, superwords=True)
    config = ModelConfig(
        vocab_size=tokenizer.vocab_size,
        d_model=-(-tokenizer.vocab_size // 16) * 16,
        n_layers=1,
        n_heads=2,
        n_kv_heads=2,
        head_dim=8,
        d_ff=16,
        tie_embeddings=False,
        max_length=CONTEXT,
    )
    mesh = make_mesh()
    with jax.set_mesh(mesh):
        random = jax.jit(lambda: init_params(config, jax.random.key(0)))()
        save_model(run.policy(ROUND), config, "lm", bigram_params(config, random, tokenizer), tokenizer)
        judge = value_params(config, random)
        judge["outer"]["value_weight"] = jax.random.normal(jax.random.key(1), (config.d_model,)) * config.d_model**-0.5
        save_model(run.ppm(ROUND), config, "value", judge, tokenizer, squash="tanh")
    run.report.mkdir(parents=True)
    run.config.write_text(json.dumps(SETTINGS, default=dataclasses.asdict))
    run.summary.write_text("{}")
    return run


def bigram_params(config: ModelConfig, random: Params, tokenizer: Tokenizer) -> Params:
    """Weights with P(token | token before it) as counted; what was never seen is e^-12 times as likely."""
    V = config.vocab_size
    counts = np.full((V, V), math.exp(-12))
    for before, step in SEEN:
        tokens = [tokenizer.encode(before)[-1], *tokenizer.encode(step)]
        for one, other in itertools.pairwise(tokens):
            counts[one, other] += 1
    logits = np.log(counts / counts.sum(axis=1, keepdims=True))
    params = jax.tree.map(lambda leaf: leaf, random)
    params["outer"]["embed"] = jnp.eye(V, config.d_model)
    # The last norm makes a token's row as long as the root of its width.
    table = jnp.zeros((config.d_model, V)).at[:V].set(logits / math.sqrt(config.d_model))
    params["outer"]["lm_head"] = table
    params["blocks"]["attention"]["o"] = jnp.zeros_like(params["blocks"]["attention"]["o"])
    params["blocks"]["mlp"]["down"] = jnp.zeros_like(params["blocks"]["mlp"]["down"])
    return params


if __name__ == "__main__":
    print(write_run(pathlib.Path(sys.argv[1])).root)
