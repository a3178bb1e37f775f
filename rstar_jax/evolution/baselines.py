"""Other reward models from what a round has found, to compare its PPM with (section 4.3, Table 8).

Like the stages of a round, this finds out by itself what is there already. `Lab.scorer` opens what it leaves.
"""

from __future__ import annotations

import dataclasses
import functools
import pathlib

from rstar_jax.datasets.baselines import Baseline, write_rows
from rstar_jax.datasets.outcomes import by_problem
from rstar_jax.datasets.tokenise import TokeniseConfig, tokenise_files
from rstar_jax.evolution.lab import Lab
from rstar_jax.models.store import is_finished, load_model
from rstar_jax.search.shards import trees_of
from rstar_jax.training.ppm import train_ppm
from rstar_jax.training.pqm import train_pqm


def fit_baseline(lab: Lab, round_number: int, kind: Baseline) -> pathlib.Path:
    """The folder of the round's ORM or PQM, trained from its trees and its policy as its PPM is, unless it is there."""
    folder, file = lab.run.baseline(round_number, kind), lab.run.data(round_number) / f"{kind}.jsonl"
    if is_finished(folder):
        return folder
    if not file.exists():
        write_rows(kind, by_problem(trees_of(lab.run.trees(round_number))), file)
    config = dataclasses.replace(lab.config.ppm_training, seed=lab.config.seed)
    settings = TokeniseConfig("ppm" if kind == "orm" else "pqm", config.row_length, seed=config.seed)
    data = tokenise_files([file], lab.run.tokens(round_number, kind), lab.tokenizer, settings).train
    train = functools.partial(train_ppm, rule=lab.config.ppm_loss) if kind == "orm" else train_pqm
    policy = load_model(lab.run.policy(round_number), lab.mesh)[1]
    train(data, lab.model_config, folder, lab.tokenizer, init=policy, config=config)
    return folder
