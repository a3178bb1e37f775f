"""Train a policy or a PPM on the authors' released data, or on any data of that format.

    python experiments/train_on_released_data.py --job policy --model Qwen/Qwen2.5-Math-7B --out runs/released-policy
    python experiments/train_on_released_data.py --job ppm --model runs/released-policy/model --out runs/released-ppm

Without `--data` the data are `ElonTusk2001/rstar_sft` (1.5 GB) or `ElonTusk2001/rstar_ppm` of the Hugging Face Hub.
They are read row by row and tokenised once, into OUT/tokens, so that memory does not grow with them; the tokens take
about twice the disk of the data. The model, with its metrics.jsonl, is left in OUT/model. The same command continues a
run that was interrupted; SIGTERM makes it save first.

`--hyperparameters paper` (appendix A.1): rows of 4096 tokens, loss on what the policy writes; the PPM's head ends in
tanh, one epoch. `released` (train_SFT.py and train_RM.py of microsoft/rStar): rows of 2048, loss on printed outputs as
well; the PPM's scores are raw, its head has dropout, two epochs, 5 % of the problems held out. In both, what is longer
than a row is dropped and counted, where the released code cuts it.

Hardware: a tiny model and a few thousand rows take a minute on two CPU cores. 7B parameters in float32 with AdamW take
112 GB, and activations come on top: `--mesh 1 8 1 --microbatches 16 --dtype bfloat16` on eight devices of 80 GB. On a
slice every host runs the same command with `--distributed` and a folder OUT that all of them see, on a v5p-128
`--distributed --mesh 1 64 1`.

Expected: the loss falls from the first steps. With `--held-out 0.05` the last lines give loss and accuracy on problems
that were not trained on: for the policy the share of tokens that greedy decoding would have got right, for the PPM the
share of pairs that are ordered rightly (0.5 is chance).
"""

from __future__ import annotations

import dataclasses
import pathlib
from typing import Literal

import tyro
from etils import epath
from training_script import TrainingFlags, about, changed, check_length, check_share, results, speak, start_jax

from rstar_jax.datasets.released import RSTAR_PPM, RSTAR_SFT
from rstar_jax.datasets.tokenise import TokeniseConfig, tokenise_files
from rstar_jax.errors import InputError, run_main
from rstar_jax.models.sharding import make_mesh
from rstar_jax.models.store import load_base
from rstar_jax.rows import find_files
from rstar_jax.training import optimizer
from rstar_jax.training.claim import claim
from rstar_jax.training.hosts import first_alone
from rstar_jax.training.optimizer import TrainConfig
from rstar_jax.training.ppm import PAPER_LOSS, RELEASED_HEAD, RELEASED_LOSS, ZERO_HEAD, train_ppm
from rstar_jax.training.sft import train_policy
from rstar_jax.trajectory.tags import POLICY_TOKENS, REWARD_TOKENS
from rstar_jax.trajectory.tokenizer import load_tokenizer

_DATA = {"policy": RSTAR_SFT, "ppm": RSTAR_PPM}
_TOKENS = {"policy": POLICY_TOKENS, "ppm": REWARD_TOKENS}
_TRAIN = {
    ("policy", "paper"): optimizer.PAPER_POLICY,
    ("policy", "released"): optimizer.RELEASED_POLICY,
    ("ppm", "paper"): optimizer.PAPER_PPM,
    ("ppm", "released"): optimizer.RELEASED_PPM,
}
_RELEASED_HELD_OUT = 0.05  # of the PPM's data; the policy's training holds out nothing


@dataclasses.dataclass(frozen=True, kw_only=True)
class Flags(TrainingFlags):
    """What to train, from what. Options that are left out come from the hyper-parameters.

    Attributes:
      job: what to train.
      model: what to start from: the base model for a policy, the policy for a PPM. A folder of either kind, or an id on
        the Hugging Face Hub. Its tokenizer gets the released tokens that it lacks (15 for a policy, 12 for a PPM).
      out: folder of the run.
      data: a file (JSON array, JSON lines, Parquet), a folder of such files, or a data set on the Hugging Face Hub; by
        default the authors' own.
      hyperparameters: whose.
      phi3: the paper's settings for Phi3-mini (policy only).
      held_out: share of the problems that are held out and reported on.
    """

    job: Literal["policy", "ppm"]
    model: str
    out: pathlib.Path
    data: str | None = None
    hyperparameters: Literal["paper", "released"] = "paper"
    phi3: bool = False
    held_out: float | None = None

    @property
    def released(self) -> bool:
        return self.hyperparameters == "released"


def train_config(flags: Flags) -> TrainConfig:
    """The chosen hyper-parameters with what the command line changes."""
    config = _TRAIN[flags.job, flags.hyperparameters]
    if flags.phi3:
        if flags.job != "policy" or flags.released:
            raise InputError("--phi3 is a setting of the paper's policy: --job policy --hyperparameters paper")
        config = optimizer.PAPER_POLICY_PHI3
    return changed(config, flags)


def tokenise_config(flags: Flags, config: TrainConfig) -> TokeniseConfig:
    default = _RELEASED_HELD_OUT if flags.released and flags.job == "ppm" else 0.0
    held_out = default if flags.held_out is None else flags.held_out
    check_share(held_out)
    learns_outputs = flags.released and flags.job == "policy"
    return TokeniseConfig(flags.job, config.row_length, learns_outputs, held_out, flags.seed)


def train(flags: Flags) -> None:
    """Tokenise first: what is wrong with the data shows before gigabytes of weights are loaded."""
    config = train_config(flags)
    settings = tokenise_config(flags, config)
    check_length(config, flags.model)
    claim(epath.Path(flags.out), {"job": flags.job, "model": flags.model, "hyperparameters": flags.hyperparameters})
    mesh = make_mesh(*flags.mesh)
    tokenizer = load_tokenizer(flags.model, _TOKENS[flags.job])
    files = find_files(flags.data or _DATA[flags.job])
    data = first_alone(lambda: tokenise_files(files, flags.out / "tokens", tokenizer, settings))
    speak(about(data, settings))
    held_out = data.held_out if data.held_out.n_rows else None
    model_config, params, tokenizer = load_base(
        flags.model,
        _TOKENS[flags.job],
        mesh,
        weights=flags.weights,
        compute=flags.dtype,
        max_length=config.row_length,
    )
    common = {"init": params, "config": config, "mesh": mesh, "held_out": held_out}
    model = flags.out / "model"
    if flags.job == "policy":
        train_policy(data.train, model_config, model, tokenizer, **common)
    else:
        rule, head = (RELEASED_LOSS, RELEASED_HEAD) if flags.released else (PAPER_LOSS, ZERO_HEAD)
        train_ppm(data.train, model_config, model, tokenizer, rule=rule, head=head, **common)
    for line in results(model):
        speak(line)


def go() -> None:
    flags = tyro.cli(Flags, description=__doc__)
    start_jax(flags)
    train(flags)


if __name__ == "__main__":
    run_main(go)
