"""Can a PPM tell a misread number from the right one? And does its policy's own likelihood tell it better?

    python experiments/benchmarks/misreads.py [--run RUN_DIR] [--quick] [--json FILE]

For held-out problems of a run of the built-in example: the step that reads the question, against the same step with
one digit replaced, with the last digit of a number missing, or with a number that stands elsewhere in the question.
Prints the share of pairs that each round's PPM, and the likelihood of the round's policy, order rightly (.5
is chance). The run need not be finished. Takes seconds on two CPU cores.
"""

from __future__ import annotations

import dataclasses
import functools
import random
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import tyro
from jaxtyping import Array, Bool, Float, Int

from rstar_jax.datasets.pair_packing import group_pairs, pack_pairs
from rstar_jax.errors import InputError, run_main
from rstar_jax.evolution.bootstrap.methods import FAMILY_METHODS, METHODS, read
from rstar_jax.evolution.run_dir import RunDir
from rstar_jax.files import read_json, write_json
from rstar_jax.models import decoder
from rstar_jax.models.config import ModelConfig
from rstar_jax.models.packed_rows import PackedRows
from rstar_jax.models.sharding import make_mesh
from rstar_jax.models.store import load_model
from rstar_jax.problems.files import read_problems
from rstar_jax.problems.problem import Problem
from rstar_jax.training.ppm import PpmLoss, ppm_loss
from rstar_jax.trajectory.prompts import policy_prompt
from rstar_jax.trajectory.tags import CODE, END_OF_STEP
from rstar_jax.trajectory.tokenizer import Tokenizer, load_tokenizer

ROOT = Path(__file__).parents[2]
LENGTH = 256  # tokens of a row
_NUMBER = re.compile(r"\d+(?:[.:]\d+)*")

Pair = dict[str, Any]
Mistake = Callable[[str, list[str], random.Random], str]


@dataclasses.dataclass(frozen=True)
class Options:
    """Command-line options."""

    run: Path = ROOT / "runs" / "cpu-s0"
    quick: bool = False  # every fourth problem
    json: Path | None = None  # also write the figures to this file


def wrong_digit(number: str, others: list[str], rng: random.Random) -> str:
    place = rng.choice([at for at, character in enumerate(number) if character.isdigit()])
    return number[:place] + rng.choice([d for d in "0123456789" if d != number[place]]) + number[place + 1 :]


def missing_digit(number: str, others: list[str], rng: random.Random) -> str:
    return number[:-1]


def other_quantity(number: str, others: list[str], rng: random.Random) -> str:
    return rng.choice(others)


MISTAKES: Mapping[str, Mistake] = {
    "wrong digit": wrong_digit,
    "missing digit": missing_digit,
    "other quantity": other_quantity,
}


def pairs(problems: list[Problem], mistake: Mistake) -> list[Pair]:
    """One preference pair per problem at most: the step that reads its question, right and misread."""
    rng, found = random.Random(0), []
    for problem in problems:
        method = METHODS[FAMILY_METHODS[problem.source][0]]
        right = f"{CODE}\n{read(problem.question, method.reading)}\n{END_OF_STEP}"
        chosen = rng.choice(list(_NUMBER.finditer(right)))
        misread = mistake(chosen.group(), _NUMBER.findall(problem.question), rng)
        if not misread or misread == chosen.group():
            continue
        wrong = right[: chosen.start()] + misread + right[chosen.end() :]
        prompt = policy_prompt(problem.question)
        found.append({"prompt": prompt, "pos": right, "neg": wrong, "pos_count": 1, "neg_count": 1})
    return found


def ppm_accuracy(folder: Path, tokenizer: Tokenizer, rows: list[Pair]) -> float:
    config, params = load_model(folder)
    rule = PpmLoss(squash=read_json(folder / "config.json")["squash"])
    arrays = pack_pairs(group_pairs(rows, tokenizer), LENGTH).arrays
    _, sums = jax.jit(functools.partial(ppm_loss, config, rule=rule))(params, jax.tree.map(jnp.asarray, arrays))
    return float(sums["accuracy"] / sums["weight"])


def likelihood_accuracy(folder: Path, tokenizer: Tokenizer, rows: list[Pair]) -> float:
    config, params = load_model(folder)
    right, wrong = (
        np.asarray(log_likelihood(config, params, *_rows(rows, side, tokenizer))) for side in ("pos", "neg")
    )
    return float(np.mean(0.5 + 0.5 * np.sign(right - wrong)))


@functools.partial(jax.jit, static_argnums=0)
def log_likelihood(
    config: ModelConfig, params: decoder.Params, tokens: Int[Array, "B L"], step: Bool[Array, "B L"]
) -> Float[Array, " B"]:
    """Sum of the log-probabilities of the tokens of each row's step."""
    positions = jnp.broadcast_to(jnp.arange(tokens.shape[1]), tokens.shape)
    hidden = decoder.hidden_states(config, params, tokens, PackedRows(positions, jnp.ones_like(tokens)))
    chances = jax.nn.log_softmax(decoder.logits(config, params, hidden))[:, :-1]
    chosen = tokens[:, 1:, None] == jnp.arange(chances.shape[-1])  # needs no gather from a sharded array
    return jnp.sum(jnp.where(chosen & step[:, 1:, None], chances, 0.0), axis=(1, 2))


def _rows(rows: list[Pair], side: str, tokenizer: Tokenizer) -> tuple[jax.Array, jax.Array]:
    tokens, step = np.zeros((len(rows), LENGTH), np.int32), np.zeros((len(rows), LENGTH), np.bool_)
    for at, row in enumerate(rows):
        prompt, answer = tokenizer.encode(row["prompt"]), tokenizer.encode(row[side])
        tokens[at, : len(prompt) + len(answer)] = prompt + answer
        step[at, len(prompt) : len(prompt) + len(answer)] = True
    return jnp.asarray(tokens), jnp.asarray(step)


def main(options: Options) -> None:
    """Measure, print, and write what was asked for."""
    run = RunDir(options.run)
    rounds = [number for number in range(1, 10) if (run.ppm(number) / "config.json").exists()]
    if not rounds:
        raise InputError(f"{options.run}: no round of this run has a PPM yet")
    problems = read_problems(run.problems / "test.jsonl")[:: 4 if options.quick else 1]
    tokenizer = load_tokenizer(run.base)
    figures: dict[str, float] = {}
    with jax.set_mesh(make_mesh(1, 1, 1)):
        for name, mistake in MISTAKES.items():
            rows = pairs(problems, mistake)
            for number in rounds:
                figures[f"{name}, PPM-r{number}"] = ppm_accuracy(run.ppm(number), tokenizer, rows)
                figures[f"{name}, SLM-r{number}"] = likelihood_accuracy(run.policy(number), tokenizer, rows)
            figures[f"{name}, pairs"] = len(rows)
    _print(figures, rounds)
    if options.json is not None:
        write_json(options.json, figures)


def _print(figures: Mapping[str, float], rounds: list[int]) -> None:
    models = [f"{kind}-r{number}" for number in rounds for kind in ("PPM", "SLM")]
    print("share of pairs ordered rightly, by the PPM's score and by the policy's (SLM) likelihood")
    print(f"{'misread':16}{'pairs':>6}" + "".join(f"{model:>8}" for model in models))
    for name in MISTAKES:
        cells = "".join(f"{figures[f'{name}, {model}']:8.3f}" for model in models)
        print(f"{name:16}{figures[f'{name}, pairs']:6.0f}{cells}")


if __name__ == "__main__":
    run_main(lambda: main(tyro.cli(Options)))
