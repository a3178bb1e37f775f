"""Supervised fine-tuning of the policy (section 3.4.1): cross-entropy on the response.

The vocabulary projection runs in chunks, so that no [B, L, V] array ever exists (`cross_entropy`).
"""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
from jax.sharding import Mesh
from jaxtyping import Array

from rstar_jax.datasets.packed import PackedData
from rstar_jax.files import AnyPath
from rstar_jax.models import decoder
from rstar_jax.models.attention import Implementation
from rstar_jax.models.config import ModelConfig
from rstar_jax.models.decoder import Params
from rstar_jax.models.packed_rows import PackedRows
from rstar_jax.models.remat import Remat
from rstar_jax.training.cross_entropy import chunked_cross_entropy
from rstar_jax.training.loop import Task, train
from rstar_jax.training.loss import Batch, LossFn, Sums
from rstar_jax.training.optimizer import PAPER_POLICY, TrainConfig
from rstar_jax.trajectory.tokenizer import Tokenizer


def train_policy(
    data: PackedData,
    model_config: ModelConfig,
    workdir: AnyPath,
    tokenizer: Tokenizer,
    *,
    init: Params | None = None,
    config: TrainConfig = PAPER_POLICY,
    mesh: Mesh | None = None,
    held_out: PackedData | None = None,
) -> Params:
    """Fine-tune a policy on packed solutions and leave it in `workdir`; see `loop.train`.

    Args:
      data: of `packing.pack_sft` or `tokenise.tokenise_files`, in rows of `config.row_length` tokens.
      init: the base model. The paper starts every round from it and not from the previous round's policy
        (A.1). None starts from nothing.
      mesh: by default the one that is set.
      held_out: as in `loop.train`.
    """
    task = Task("lm", policy_loss(model_config, config))
    return train(config, model_config, init, data, task, workdir, mesh, tokenizer, held_out)


def policy_loss(model_config: ModelConfig, config: TrainConfig) -> LossFn:
    """The loss of a run."""
    return functools.partial(sft_loss, model_config, chunk=config.loss_chunk, remat=config.remat)


def sft_loss(
    config: ModelConfig,
    params: Params,
    batch: Batch,
    chunk: int = 512,
    remat: Remat = "full",
    implementation: Implementation | None = None,
) -> tuple[jax.Array, Sums]:
    """Sum of -log p(token | before) over the target tokens of packed rows, and the number of targets.

    `remat` and `implementation` are those of `decoder.hidden_states`.
    """
    tokens = batch["tokens"]
    hidden = decoder.hidden_states(config, params, tokens, PackedRows.of(batch), remat, implementation)
    # The target of a position is its right neighbour. A segment starts with its prompt, so none crosses over.
    targets, wanted = _shift(tokens), _shift(batch["loss_mask"])
    total, hits = chunked_cross_entropy(config, params, hidden, targets, wanted, chunk)
    return total, {"weight": jnp.sum(wanted, dtype=jnp.float32), "accuracy": hits}


def _shift(x: Array) -> Array:
    """Every position's right neighbour; zero at the end."""
    return jnp.pad(x[:, 1:], ((0, 0), (0, 1)))
