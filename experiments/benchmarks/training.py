"""Training against other libraries and other layouts on this machine, and against the card's peak on a GPU or TPU.

    python experiments/benchmarks/training.py [--quick] [--json FILE]        (peers: pip install -e .[peers])
    python experiments/benchmarks/training.py --parts accelerator [--model 1.5b] [--json FILE]

* `sft`: our step, Tunix' `PeftTrainer` and the `Trainer` of `transformers` fine-tune the same random Qwen2 (21 million
  parameters, float32) on the same solutions: the same targets in a step, AdamW, clipped gradients, all cores, no layer
  recomputed. Only targets of the loss count as tokens, so padding and prompts are nobody's work. Each contender may try
  several ways to lay a step out, padded and packed (`training_peers`), and is measured with its best. All ways of all
  must give the same loss on the first batch (1e-4), and after a step (1e-3).
* `ppm`: pairs/s of shared trunks against padding both texts of each pair, in our own decoder (`training_ppm`); the same
  loss on the same pairs (1e-5).
* `accelerator`: MFU of an SFT step and the largest batch that fits (`training_accelerator`); on a CPU, or with --quick,
  a tiny model: the command works, and no more is shown.

Solutions and pairs are random tokens in the lengths of the samples that the authors published, or of whole files
(`--sft`, `--pairs`, `--tokenizer`; then row lengths of `SFT` and `PPM` must suit them). Contenders take turns; medians
of the repeats, with the least and the greatest.

Hardware: two CPU cores; under a minute with --quick (a smaller model and workload, to see that all runs), about 20
minutes without. Targets: at least the tokens/s of Tunix, more than the Trainer; 3 times the pairs/s; 50 % MFU.
"""

from __future__ import annotations

import dataclasses
import pathlib
from typing import Literal

import jax
import training_accelerator
import training_data
import training_ppm
import training_sft
import tyro
from generation_ours import make_params
from training_ours import Way

from rstar_jax.errors import InputError, run_main
from rstar_jax.files import write_json
from rstar_jax.models.config import ModelConfig
from rstar_jax.models.decoder import value_params
from rstar_jax.models.remat import Remat
from rstar_jax.models.sharding import make_mesh

MODEL = ModelConfig(
    vocab_size=8192, d_model=512, n_layers=6, n_heads=8, n_kv_heads=2, head_dim=64, d_ff=1408, rope_theta=1e6
)
PACKED = [Way("packed", 1, 512), Way("packed", 1, 544), Way("packed", 2, 544), Way("packed", 1, 1024)]
SFT = training_sft.Workload(
    MODEL,
    {
        "ours": PACKED,
        "tunix": [*PACKED, Way("padded", 4, 512)],
        "transformers": [Way("padded", 1), Way("padded", 2), Way("padded", 4), Way("packed", 2)],
    },
)
PPM = training_ppm.Workload(MODEL)
QUICK_MODEL = dataclasses.replace(MODEL, vocab_size=1024, d_model=128, n_layers=2, n_heads=4, d_ff=256, head_dim=32)
QUICK_SFT = training_sft.Workload(
    QUICK_MODEL,
    {
        "ours": [Way("packed", 2, 128)],
        "tunix": [Way("packed", 2, 128), Way("padded", 4, 128)],
        "transformers": [Way("padded", 4), Way("packed", 2)],
    },
    batch=8,
)
QUICK_PPM = training_ppm.Workload(QUICK_MODEL, lengths=(256,), at_once=(2,), released_length=256)
QUICK_SHARE = 8  # of the tokens of a text

Part = Literal["sft", "ppm", "accelerator"]


@dataclasses.dataclass(frozen=True)
class Options:
    """Command-line options.

    sft, pairs: files in the released formats whose lengths are taken, in tokens of `tokenizer` (a folder or Hub id).
    model, length, most_rows, remat: of the part "accelerator" (`training_accelerator.Step`).
    """

    parts: tuple[Part, ...] = ("sft", "ppm")
    quick: bool = False
    json: pathlib.Path | None = None  # also write the figures to this file
    repeats: int = 5
    sft: pathlib.Path | None = None
    pairs: pathlib.Path | None = None
    tokenizer: str | None = None
    model: Literal["1.5b", "7b", "tiny"] = "1.5b"
    length: int = 4096
    most_rows: int = 128
    remat: Remat = "full"


def sft(options: Options) -> dict[str, float]:
    sizes = training_data.SOLUTIONS
    if options.sft:
        sizes = training_data.solution_sizes(options.sft, named(options.tokenizer))
    workload = SFT
    if options.quick:
        workload, sizes = QUICK_SFT, [size.shortened(QUICK_SHARE) for size in sizes]
    return training_sft.compare(workload, make_params(workload.model), sizes, 2 if options.quick else options.repeats)


def ppm(options: Options) -> dict[str, float]:
    sizes = training_data.SETS
    if options.pairs:
        sizes = training_data.set_sizes(options.pairs, named(options.tokenizer))
    workload = PPM
    if options.quick:
        workload, sizes = QUICK_PPM, [size.shortened(QUICK_SHARE) for size in sizes]
    params = value_params(workload.model, make_params(workload.model))
    params["outer"]["value_weight"] = jax.random.normal(jax.random.key(1), (workload.model.d_model,)) / 8
    repeats = 2 if options.quick else options.repeats
    return training_ppm.compare(workload, params, sizes, repeats, make_mesh())


def accelerator(options: Options) -> dict[str, float]:
    step = training_accelerator.Step(options.model, options.length, remat=options.remat)
    if options.quick or training_accelerator.backend() == "cpu":
        step = dataclasses.replace(step, model="tiny", length=256, repeats=2)
        options = dataclasses.replace(options, most_rows=2)
    return training_accelerator.compare(step, options.most_rows)


def named(tokenizer: str | None) -> str:
    if tokenizer is None:
        raise InputError("--sft and --pairs need --tokenizer, whose tokens their lengths are counted in")
    return tokenizer


PARTS = {"sft": sft, "ppm": ppm, "accelerator": accelerator}


def main(options: Options) -> None:
    """Measure, print, and write what was asked for."""
    jax.config.update("jax_platforms", "cpu")  # steps on an accelerator have processes of their own
    figures: dict[str, float] = {}
    for part in options.parts:
        figures |= {f"{part}_{name}": value for name, value in PARTS[part](options).items()}
        print()
    print(*(f"{name:36}{value:16,.6g}" for name, value in figures.items()), sep="\n")
    if options.json is not None:
        write_json(options.json, figures)


if __name__ == "__main__":
    run_main(lambda: main(tyro.cli(Options, description=__doc__)))
