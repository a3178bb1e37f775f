r"""Train one of the reward models that the paper's Table 8 compares with its PPM, from the trees of a search.

    python experiments/train_reward_baseline.py --kind orm --out runs/orm \
        --trees runs/cpu-s0/round4/trees --base runs/cpu-s0/round4/policy

`orm` ranks whole solutions: of each problem the two with the highest mean Q over the two with the lowest. `pqm`
predicts the Q of every step of a solution. Both learn from problems with correct and wrong solutions, with the
hyper-parameters of the paper's PPM (appendix A.1), and are read by search as a PPM is. The rows are left in
OUT/KIND.jsonl, the model with its metrics.jsonl in OUT/model. The same command continues a run that was interrupted;
SIGTERM makes it save first.

Hardware: as `train_on_released_data.py`. All trees lie in memory while their rows are made, some kilobytes a node.

Expected: the loss falls from the first steps. With `--held-out 0.05` the last lines give loss and accuracy on problems
that were not trained on: for the ORM the share of pairs that are ordered rightly, for the PQM the share of steps whose
Q gets the right sign (0.5 is chance for both).
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
import pathlib
from typing import Literal

import tyro
from etils import epath
from training_script import TrainingFlags, about, changed, check_length, check_share, results, speak, start_jax

from rstar_jax.datasets.baselines import Baseline, write_rows
from rstar_jax.datasets.outcomes import gather_by_problem
from rstar_jax.datasets.tokenise import Split, TokeniseConfig, tokenise_files
from rstar_jax.errors import InputError, run_main
from rstar_jax.files import sha256_of
from rstar_jax.models.sharding import make_mesh
from rstar_jax.models.store import load_base
from rstar_jax.search.store import iterate_trees
from rstar_jax.training.claim import claim
from rstar_jax.training.hosts import first_alone
from rstar_jax.training.optimizer import PAPER_ORM, PAPER_PQM, TrainConfig
from rstar_jax.training.ppm import PAPER_LOSS, PpmLoss, train_ppm
from rstar_jax.training.pqm import train_pqm
from rstar_jax.trajectory.tags import REWARD_TOKENS
from rstar_jax.trajectory.tokenizer import load_tokenizer

_TRAIN: dict[Baseline, TrainConfig] = {"orm": PAPER_ORM, "pqm": PAPER_PQM}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Flags(TrainingFlags):
    """What to train, from what. Options that are left out are the paper's.

    Attributes:
      kind: what to train.
      trees: Parquet files of trees, or folders that hold some.
      base: the policy to start from: a folder or an id on the Hugging Face Hub. Its tokenizer gets the released tokens
        that it lacks (12).
      out: folder of the run.
      squash: of the ORM: "tanh": the head ends in tanh (paper); "raw": training compares raw scores.
      held_out: share of the problems that are held out and reported on.
    """

    kind: Baseline
    trees: tuple[pathlib.Path, ...]
    base: str
    out: pathlib.Path
    squash: Literal["tanh", "raw"] = "tanh"
    held_out: float = 0.0


def train_config(flags: Flags) -> TrainConfig:
    """The paper's hyper-parameters with what the command line changes."""
    check_share(flags.held_out)
    if flags.kind == "pqm" and flags.squash != "tanh":
        raise InputError("--squash is a choice of the ORM: a PQM predicts values from -1 to 1, which needs tanh")
    return changed(_TRAIN[flags.kind], flags)


def tree_files(places: tuple[pathlib.Path, ...]) -> list[pathlib.Path]:
    """The Parquet files that were named, and those in named folders."""
    found = []
    for place in places:
        files = sorted(place.glob("*.parquet")) if place.is_dir() else [place]
        if not files or not all(file.exists() for file in files):
            raise InputError(f"{place}: no trees there (*.parquet)")
        found += files
    return found


def train(flags: Flags) -> None:
    config, files = train_config(flags), tree_files(flags.trees)
    check_length(config, flags.base)
    claim(epath.Path(flags.out), {"kind": flags.kind, "base": flags.base, "trees": [sha256_of(file) for file in files]})
    mesh, rows = make_mesh(*flags.mesh), flags.out / f"{flags.kind}.jsonl"
    job = "ppm" if flags.kind == "orm" else "pqm"
    settings = TokeniseConfig(job, config.row_length, held_out=flags.held_out, seed=flags.seed)
    tokenizer = load_tokenizer(flags.base, REWARD_TOKENS)

    def tokenise() -> Split:
        if not rows.exists():
            trees = itertools.chain.from_iterable(map(iterate_trees, files))
            speak(f"{write_rows(flags.kind, gather_by_problem(trees), rows):,} rows from {len(files)} files of trees")
        return tokenise_files([rows], flags.out / "tokens", tokenizer, settings)

    data = first_alone(tokenise)
    speak(about(data, settings))
    model_config, params, tokenizer = load_base(
        flags.base, REWARD_TOKENS, mesh, weights=flags.weights, compute=flags.dtype, max_length=config.row_length
    )
    orm = functools.partial(train_ppm, rule=PAPER_LOSS if flags.squash == "tanh" else PpmLoss(squash="raw"))
    fit, model = orm if flags.kind == "orm" else train_pqm, flags.out / "model"
    held_out = data.held_out if data.held_out.n_rows else None
    fit(data.train, model_config, model, tokenizer, init=params, config=config, mesh=mesh, held_out=held_out)
    for line in results(model):
        speak(line)


def go() -> None:
    flags = tyro.cli(Flags, description=__doc__)
    start_jax(flags)
    train(flags)


if __name__ == "__main__":
    run_main(go)
