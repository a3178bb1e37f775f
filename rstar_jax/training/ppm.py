"""Training of the process preference model (section 3.3): a pairwise ranking loss on step scores (Eq 4)."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any, Literal

import jax
import jax.numpy as jnp
from jax.sharding import Mesh
from jaxtyping import Array, Float, Int, UInt32

from rstar_jax.datasets.packed import PackedData
from rstar_jax.files import AnyPath
from rstar_jax.models import decoder
from rstar_jax.models.attention import Implementation
from rstar_jax.models.config import ModelConfig
from rstar_jax.models.decoder import Params
from rstar_jax.models.packed_rows import PackedRows
from rstar_jax.models.remat import Remat
from rstar_jax.training.batches import DROPOUT_KEYS
from rstar_jax.training.loop import Task, train
from rstar_jax.training.loss import Batch, LossFn, Sums
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


@dataclasses.dataclass(frozen=True)
class PpmHead:
    """The scalar head in training: how it begins, and how much of its input it misses.

    Attributes:
      dropout: share of the head's inputs that a step of training does not see. The mask is drawn for each text; where
        several pairs share a text they share its mask (the released code runs every pair by itself).
      weight_mean, weight_std: normal distribution of the first weights.
      bias: first bias.
    """

    dropout: float = 0.0
    weight_mean: float = 0.0
    weight_std: float = 0.0
    bias: float = 0.0


ZERO_HEAD = PpmHead()  # the paper says nothing about it
RELEASED_HEAD = PpmHead(dropout=0.1, weight_mean=5e-7, weight_std=1e-6, bias=1e-6)  # upstream item 60


def train_ppm(
    data: PackedData,
    model_config: ModelConfig,
    workdir: AnyPath,
    tokenizer: Tokenizer,
    *,
    init: Params | None,
    config: TrainConfig = PAPER_PPM,
    rule: PpmLoss = PAPER_LOSS,
    head: PpmHead = ZERO_HEAD,
    mesh: Mesh | None = None,
    held_out: PackedData | None = None,
) -> Params:
    """Train a PPM on packed preference pairs and leave it in `workdir`; see `loop.train`.

    The model's `config.json` records `squash`, which search has to apply to raw scores.

    Args:
      data: of `pair_packing.pack_pairs` or `tokenise.tokenise_files`, in rows of `config.row_length` tokens. With the
        pairs of `baselines.orm_rows` the model is the paper's ORM.
      init: the policy of the same round (section 3.4.1), whose LM head is replaced by a scalar one. None
        starts from nothing, with a head of zeros.
      mesh: by default the one that is set.
      held_out: as in `loop.train`.
    """
    loss = preference_loss(model_config, config, rule, head)
    first = None if init is None else first_params(model_config, init, head, config.seed)
    settings = {"squash": rule.squash, "reduction": rule.reduction} | head_settings(head)
    task = Task("value", loss, settings, drops=head.dropout > 0)
    return train(config, model_config, first, data, task, workdir, mesh, tokenizer, held_out)


def preference_loss(
    model_config: ModelConfig, config: TrainConfig, rule: PpmLoss = PAPER_LOSS, head: PpmHead = ZERO_HEAD
) -> LossFn:
    """The loss of a run."""
    return functools.partial(ppm_loss, model_config, rule=rule, remat=config.remat, dropout=head.dropout)


def first_params(config: ModelConfig, policy: Params, head: PpmHead, seed: int) -> Params:
    """The policy's decoder with a new scalar head."""
    params = decoder.value_params(config, policy)
    zeros, bias = (params["outer"][name] for name in ("value_weight", "value_bias"))
    drawn = head.weight_mean + head.weight_std * jax.random.normal(jax.random.key(seed), zeros.shape)
    first = {"value_weight": drawn.astype(zeros.dtype), "value_bias": jnp.full_like(bias, head.bias)}
    return params | {"outer": params["outer"] | first}


def head_settings(head: PpmHead) -> dict[str, Any]:
    """What a model's `config.json` says about its head: nothing about the plain one."""
    return {} if head == ZERO_HEAD else {"value_head": dataclasses.asdict(head)}


def ppm_loss(
    config: ModelConfig,
    params: Params,
    batch: Batch,
    rule: PpmLoss = PAPER_LOSS,
    remat: Remat = "full",
    dropout: float = 0.0,
    implementation: Implementation | None = None,
) -> tuple[jax.Array, Sums]:
    """Weighted sum of -log sigmoid(r+ - r-) over the pairs of packed groups.

    `accuracy` is the share of pairs that the scores order rightly (equal scores count half), `margin` the
    mean of r+ - r-; both are weighted like the loss. `dropout` acts on a batch that brings keys, as those of training
    do; held-out data come without. `remat` and `implementation` are those of `decoder.hidden_states`.
    """
    return ranking_loss(token_scores(config, params, batch, remat, dropout, implementation), batch, rule)


def token_scores(
    config: ModelConfig,
    params: Params,
    batch: Batch,
    remat: Remat,
    dropout: float,
    implementation: Implementation | None = None,
) -> Float[Array, "B L"]:
    """The raw score of every token of packed rows, with or without branches."""
    hidden = decoder.hidden_states(config, params, batch["tokens"], PackedRows.of(batch), remat, implementation)
    if dropout and DROPOUT_KEYS in batch:
        hidden = drop(hidden, batch[DROPOUT_KEYS], dropout)
    return decoder.values(params, hidden)


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


def drop(hidden: Float[Array, "B L D"], keys: UInt32[Array, "B 2"], rate: float) -> Float[Array, "B L D"]:
    """Zero each number with probability `rate`, and scale the others up so that the mean stays."""

    def keep(key: jax.Array) -> jax.Array:
        key = jax.random.wrap_key_data(key, impl="threefry2x32")
        return jax.random.bernoulli(key, 1 - rate, hidden.shape[1:])

    return jnp.where(jax.vmap(keep)(keys), hidden / (1 - rate), 0).astype(hidden.dtype)
