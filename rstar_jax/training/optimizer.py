"""A training run as a value: length, batch, schedule, optimizer; the published settings by name.

Whose numbers the presets have:

  paper, A.1      policy: 2 epochs, batches of 128, 4096 tokens, AdamW, linear from 7e-6; Phi-3-mini: cosine from 5e-6.
                  PPM: 1 epoch, batches of 512, from 7e-6. ORM and PQM of Table 8: as the PPM.
  released code   2048 tokens; the PPM for 2 epochs. What the paper leaves open, in its presets too: no warm-up, linear
                  for the PPM, weight decay 0.1 for the policy and none for the PPM (its command names none), and the
                  defaults of the Trainer in `transformers`: betas 0.9 and 0.999, epsilon 1e-8, gradients clipped at 1.
  ours            4096 tokens for the paper's PPM, as for its policy; the paper's learning rate for the released PPM;
                  weight decay on matrices only; seed, saves, and what concerns speed and memory.

The released code keeps float32 weights and computes in bfloat16; dtypes are the model's (`models.store.load_base`), not
a run's. How losses are reduced belongs to the loss (`ppm.PAPER_LOSS`, `ppm.RELEASED_LOSS`).

Bytes of a run's state for each parameter, besides what a step needs while it runs:

    weights                            first moment   second moment   sum
    float32 (master weights)           4              4               12      computing in bfloat16 or float32
    float32, moment_dtype="bfloat16"   2              4               10
    bfloat16                           4              4               10      `rounding="stochastic"`, or little moves
    bfloat16, moment_dtype="bfloat16"  2              4               8

A step adds its gradient: 4 or 2 bytes as the weights have, and with several microbatches 4 for the sum of theirs.
(Muon has no second moment for matrices.)
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any, Literal

import jax
import jax.numpy as jnp
import optax

from rstar_jax.models.remat import Remat
from rstar_jax.training.muon import scale_by_muon_and_adam


@dataclasses.dataclass(frozen=True)
class TrainConfig:
    """Settings of one training run; the defaults are the policy's in the paper (appendix A.1).

    Attributes:
      epochs: passes over the data.
      max_steps: the run ends, and its schedule too, after so many steps at most; None for all of its epochs.
      batch_size: examples per step (trajectories or preference pairs). Rows are packed, so a step takes as
        many rows as hold this many on average.
      row_length: tokens of a packed row; longer examples are dropped.
      microbatches: a step's rows are run in this many parts; the gradient is the same, weighted by tokens or
        pairs.
      optimizer: "adamw" (paper), or "muon" for the layers' matrices (see `muon`).
      learning_rate: peak.
      schedule: decay after the warm-up, to zero at the last step.
      warmup: share of the steps with a rising learning rate.
      weight_decay: of AdamW, on matrices only.
      clip_norm: largest norm of a step's gradient.
      moment_dtype: of the first moments. Second moments are float32 always: they move by a thousandth at a time, which
        bfloat16 rounds away. What an optimizer computes is float32 whatever the weights are.
      rounding: of new bfloat16 weights (`ModelConfig.param_dtype`); see `training.rounding`. Other weights have no use
        for it.
      remat: what of a layer is kept for the backward pass; see `models.remat`.
      loss_chunk: tokens per row whose logits exist at one time.
      seed: of the data order and of fresh parameters.
      checkpoint_every: steps between saves.
      log_every: steps between lines of `metrics.jsonl`.
      save_on_sigterm: on SIGTERM, save at the end of the step and exit with code 0.
      grace_seconds: what the machine gives between SIGTERM and SIGKILL. A run that needed longer to save says so.
      profile_step: trace from this step (from 1) into the folder `profile`; None traces nothing.
      profile_steps: how many steps.
    """

    epochs: int = 2
    max_steps: int | None = None
    batch_size: int = 128
    row_length: int = 4096
    microbatches: int = 1
    optimizer: Literal["adamw", "muon"] = "adamw"
    learning_rate: float = 7e-6
    schedule: Literal["linear", "cosine", "constant"] = "linear"
    warmup: float = 0.0
    weight_decay: float = 0.1
    b1: float = 0.9
    b2: float = 0.999
    eps: float = 1e-8
    clip_norm: float = 1.0
    moment_dtype: Literal["float32", "bfloat16"] = "float32"
    rounding: Literal["nearest", "stochastic"] = "nearest"
    remat: Remat = "full"
    loss_chunk: int = 512
    seed: int = 0
    checkpoint_every: int = 500
    log_every: int = 1
    save_on_sigterm: bool = True
    grace_seconds: float = 30.0
    profile_step: int | None = None
    profile_steps: int = 3

    def __post_init__(self) -> None:
        counts = (
            "epochs",
            "batch_size",
            "row_length",
            "microbatches",
            "loss_chunk",
            "checkpoint_every",
            "log_every",
            "profile_steps",
        )
        for name in counts:
            if getattr(self, name) < 1:
                raise ValueError(f"{name}={getattr(self, name)} must be at least 1")
        for name in ("max_steps", "profile_step"):
            if (value := getattr(self, name)) is not None and value < 1:
                raise ValueError(f"{name}={value} must be at least 1")

    @property
    def rounding_seed(self) -> int | None:
        """Of stochastic rounding; None rounds to the nearest."""
        return self.seed if self.rounding == "stochastic" else None


PAPER_POLICY = TrainConfig()
PAPER_POLICY_PHI3 = TrainConfig(schedule="cosine", learning_rate=5e-6)
PAPER_PPM = TrainConfig(epochs=1, batch_size=512, weight_decay=0.0)
PAPER_ORM = PAPER_PQM = PAPER_PPM
RELEASED_POLICY = TrainConfig(row_length=2048)
RELEASED_PPM = dataclasses.replace(PAPER_PPM, epochs=2, row_length=2048)


def learning_rate(config: TrainConfig, n_steps: int, step: int) -> float:
    """Learning rate of a step (from 0): rises over the warm-up steps, then falls to zero at `n_steps`."""
    warmup = round(config.warmup * n_steps)
    if step < warmup:
        return config.learning_rate * (step + 1) / (warmup + 1)  # the first step moves already
    done = (step - warmup) / max(n_steps - warmup, 1)
    shape = {"linear": 1 - done, "cosine": (1 + math.cos(math.pi * done)) / 2, "constant": 1.0}
    return config.learning_rate * shape[config.schedule]


def make_optimizer(config: TrainConfig, axes: Any) -> optax.GradientTransformation:
    """AdamW (or Muon) behind a clip by the global norm, for a learning rate of one: the step scales its updates.

    The rate stays an argument of the compiled step, which then is the same for runs of any length.

    Args:
      axes: the parameters' logical axes (`decoder.logical_axes`), which tell matrices from norms and biases.
    """
    moments: dict[str, Any] = {"b1": config.b1, "b2": config.b2, "eps": config.eps, "mu_dtype": config.moment_dtype}
    scale = optax.scale_by_adam(**moments) if config.optimizer == "adamw" else scale_by_muon_and_adam(axes, **moments)
    decayed = jax.tree.map(_is_matrix, axes, is_leaf=lambda x: isinstance(x, tuple))
    return _in_float32(
        optax.chain(
            optax.clip_by_global_norm(config.clip_norm),
            scale,
            optax.add_decayed_weights(config.weight_decay, mask=decayed),
        )
    )


def _in_float32(inner: optax.GradientTransformation) -> optax.GradientTransformation:
    """The same as if parameters and gradients were float32: its state and its updates are."""

    def init(params: Any) -> Any:
        return inner.init(optax.tree.cast(params, jnp.float32))

    def update(updates: Any, state: Any, params: Any = None) -> tuple[Any, Any]:
        return inner.update(optax.tree.cast(updates, jnp.float32), state, optax.tree.cast(params, jnp.float32))

    return optax.GradientTransformation(init, update)


def _is_matrix(axes: tuple[str | None, ...]) -> bool:
    """Biases of projections have several axes too; only matrices have one that reads or writes the stream."""
    return "embed" in axes
