"""Training of the Q-value model that the paper compares its PPM with (section 4.3, Eq 6, Table 8).

A whole solution is one sample: the model predicts the Q of all of its steps at once, and learns from the squared L2
distance to the Q that the search found. What `train_pqm` leaves is read by search as a PPM is.
"""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
from jax.sharding import Mesh
from jaxtyping import Array, Float

from rstar_jax.datasets.packed import PackedData
from rstar_jax.files import AnyPath
from rstar_jax.models.config import ModelConfig
from rstar_jax.models.decoder import Params
from rstar_jax.models.remat import Remat
from rstar_jax.training.loop import Task, train
from rstar_jax.training.loss import Batch, Sums
from rstar_jax.training.optimizer import PAPER_PQM, TrainConfig
from rstar_jax.training.ppm import ZERO_HEAD, PpmHead, first_params, head_settings, token_scores
from rstar_jax.trajectory.tokenizer import Tokenizer


def train_pqm(
    data: PackedData,
    model_config: ModelConfig,
    workdir: AnyPath,
    tokenizer: Tokenizer,
    *,
    init: Params | None,
    config: TrainConfig = PAPER_PQM,
    head: PpmHead = ZERO_HEAD,
    mesh: Mesh | None = None,
    held_out: PackedData | None = None,
) -> Params:
    """Train a Q-value model on packed solutions and leave it in `workdir`; see `loop.train`.

    Args:
      data: of `value_packing.pack_values` or `tokenise.tokenise_files`, in rows of `config.row_length` tokens.
      init: a policy, whose LM head is replaced by a scalar one. None starts from nothing, with a head of zeros.
      mesh: by default the one that is set.
      held_out: as in `loop.train`.
    """
    loss = functools.partial(pqm_loss, model_config, remat=config.remat, dropout=head.dropout)
    first = None if init is None else first_params(model_config, init, head, config.seed)
    settings = {"squash": "tanh", "objective": "pqm"} | head_settings(head)
    task = Task("value", loss, settings, drops=head.dropout > 0)
    return train(config, model_config, first, data, task, workdir, mesh, tokenizer, held_out)


def pqm_loss(
    config: ModelConfig, params: Params, batch: Batch, remat: Remat = "full", dropout: float = 0.0
) -> tuple[jax.Array, Sums]:
    """Sum over solutions of the squared L2 distance between the predicted and the annotated Q of their steps (Eq 6).

    Divided by the number of solutions it is their mean. `error` is the mean over solutions of the mean distance of a
    step, `accuracy` that of the share of steps whose Q has the right sign (a Q of zero counts half).
    """
    return value_loss(token_scores(config, params, batch, remat, dropout), batch)


def value_loss(scores: Float[Array, "B L"], batch: Batch) -> tuple[jax.Array, Sums]:
    """The loss from the raw score of every token; only those at the ends of steps matter."""
    q, weights = batch["q"], batch["step_weights"]  # the weights of a solution share one
    values = jnp.tanh(scores)
    errors = jnp.where(weights > 0, values - q, 0.0)
    return jnp.sum(errors**2), {
        "weight": jnp.sum(weights),
        "error": jnp.sum(weights * jnp.abs(errors)),
        "accuracy": jnp.sum(weights * (0.5 + 0.5 * jnp.sign(values * q))),
    }
