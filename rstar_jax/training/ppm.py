"""Training of the process preference model (section 3.3): a pairwise ranking loss on step scores (Eq 4)."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterable, Mapping
from typing import Any, Literal

import jax
import jax.numpy as jnp
from jax.sharding import Mesh
from jaxtyping import Array, Float, Int

from rstar_jax.datasets.pair_packing import group_pairs, pack_pairs
from rstar_jax.files import AnyPath
from rstar_jax.models import decoder
from rstar_jax.models.attention import packed_mask
from rstar_jax.models.config import ModelConfig
from rstar_jax.models.decoder import Params
from rstar_jax.training.loop import Task, train
from rstar_jax.training.loss import Batch, Sums
from rstar_jax.training.optimizer import PAPER_PPM, TrainConfig
from rstar_jax.trajectory.tokenizer import Tokenizer

_RELEASED_DEVICE_BATCH = 16  # pairs


@dataclasses.dataclass(frozen=True)
class PpmLoss:
    """How scores and pairs become a loss; the paper and the released code differ.

    Attributes:
      squash: "tanh": the head ends in tanh, scores lie in [-1, 1] (paper). "raw": training compares raw
        scores (released; its search then uses tanh(v/5)).
      reduction: "mean": every set of siblings counts once, a batch is their mean (Eq 4). "released": pairs
        weighted 1/(pos_count*neg_count) are summed over a device batch of 16 pairs and averaged over those.
    """

    squash: Literal["tanh", "raw"] = "tanh"
    reduction: Literal["mean", "released"] = "mean"


PAPER_LOSS = PpmLoss()
RELEASED_LOSS = PpmLoss(squash="raw", reduction="released")


def train_ppm(
    rows: Iterable[Mapping[str, Any]],
    model_config: ModelConfig,
    workdir: AnyPath,
    tokenizer: Tokenizer,
    *,
    init: Params | None,
    config: TrainConfig = PAPER_PPM,
    rule: PpmLoss = PAPER_LOSS,
    mesh: Mesh | None = None,
) -> Params:
    """Train a PPM on pair rows {"prompt", "pos", "neg", "pos_count", "neg_count"} and leave it in `workdir`.

    See `loop.train`. The model's `config.json` records `squash`, which search has to apply to raw scores.

    Args:
      init: the policy of the same round (section 3.4.1), whose LM head is replaced by a scalar one. None
        starts from nothing.
      mesh: by default the one that is set.
    """
    data = pack_pairs(group_pairs(rows, tokenizer), config.row_length, config.seed)
    loss = functools.partial(ppm_loss, model_config, rule=rule, remat=config.remat)
    first = None if init is None else decoder.value_params(model_config, init)
    task = Task("value", loss, {"squash": rule.squash, "reduction": rule.reduction})
    return train(config, model_config, first, data, task, workdir, mesh, tokenizer)


def ppm_loss(
    config: ModelConfig, params: Params, batch: Batch, rule: PpmLoss = PAPER_LOSS, remat: bool = True
) -> tuple[jax.Array, Sums]:
    """Weighted sum of -log sigmoid(r+ - r-) over the pairs of packed groups.

    `accuracy` is the share of pairs that the scores order rightly (equal scores count half), `margin` the
    mean of r+ - r-; both are weighted like the loss.
    """
    mask = packed_mask(batch["positions"], batch["segments"], batch["branches"])
    hidden = decoder.hidden_states(config, params, batch["tokens"], batch["positions"], mask, remat=remat)
    return ranking_loss(decoder.values(params, hidden), batch, rule)


def ranking_loss(
    scores: Float[Array, "B L"], batch: Batch, rule: PpmLoss = PAPER_LOSS
) -> tuple[jax.Array, Sums]:
    """The loss from the raw score of every token; only those at the ends of steps matter."""
    if rule.squash == "tanh":
        scores = jnp.tanh(scores)
    margin = pick(scores, batch["better"]) - pick(scores, batch["worse"])
    weights = batch["pair_weights"]
    total = jnp.sum(weights * -jax.nn.log_sigmoid(margin))
    right = jnp.sum(weights * (0.5 + 0.5 * jnp.sign(margin)))
    sets = jnp.sum(weights)
    if rule.reduction == "mean":
        return total, {"weight": sets, "accuracy": right, "margin": jnp.sum(weights * margin)}
    device_batches = jnp.sum(weights > 0, dtype=jnp.float32) / _RELEASED_DEVICE_BATCH
    scale = device_batches / jnp.maximum(sets, 1e-9)  # metrics stay means over sets of siblings
    return total, {
        "weight": device_batches,
        "accuracy": right * scale,
        "margin": jnp.sum(weights * margin) * scale,
    }


def pick(scores: Float[Array, "B L"], at: Int[Array, "B P"]) -> Float[Array, "B P"]:
    """`scores[b, at[b, p]]` by comparison, which needs no gather from a sharded array."""
    here = jnp.arange(scores.shape[1]) == at[..., None]
    return jnp.sum(jnp.where(here, scores[:, None, :], 0.0), axis=-1)
