"""Supervised fine-tuning of the policy (section 3.4.1): cross-entropy on the response.

The vocabulary projection runs in chunks of the sequence, so that no [B, L, V] array ever exists.
"""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
from jax.sharding import Mesh
from jax.sharding import PartitionSpec as P
from jaxtyping import Array, Bool, Float, Int

from rstar_jax.datasets.packed import PackedData
from rstar_jax.files import AnyPath
from rstar_jax.models import decoder
from rstar_jax.models.attention import Implementation
from rstar_jax.models.config import ModelConfig
from rstar_jax.models.decoder import Params
from rstar_jax.models.packed_rows import PackedRows
from rstar_jax.models.remat import Remat
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


def chunked_cross_entropy(
    config: ModelConfig,
    params: Params,
    hidden: Float[Array, "B L D"],
    targets: Int[Array, "B L"],
    wanted: Bool[Array, "B L"],
    chunk: int,
) -> tuple[Float[Array, ""], Float[Array, ""]]:
    """Sums over the wanted positions of the cross-entropy and of greedy hits.

    Logits exist for `chunk` positions of each row at a time, in the backward pass as well, where they are
    recomputed.
    """
    length = hidden.shape[1]
    chunk = min(chunk, length)
    n_chunks = -(-length // chunk)
    padding = n_chunks * chunk - length
    chunks = jax.tree.map(functools.partial(_chunks, n=n_chunks, padding=padding), (hidden, targets, wanted))

    @jax.checkpoint
    def add(sums: tuple[Array, Array], part: tuple[Array, Array, Array]) -> tuple[tuple[Array, Array], None]:
        losses, hits = _cross_entropy(config, params, *part)
        return (sums[0] + losses, sums[1] + hits), None

    sums, _ = jax.lax.scan(add, (jnp.zeros(()), jnp.zeros(())), chunks)
    return sums


def _cross_entropy(
    config: ModelConfig,
    params: Params,
    hidden: Float[Array, "B C D"],
    targets: Int[Array, "B C"],
    wanted: Bool[Array, "B C"],
) -> tuple[Float[Array, ""], Float[Array, ""]]:
    logits = decoder.logits(config, params, hidden)
    # A comparison instead of a gather: V is sharded, and only the shard that has the target contributes.
    # It numbers its own part: with all numbers everywhere the comparison would be as large as all of V.
    numbers = jax.sharding.reshard(jnp.arange(logits.shape[-1]), P(jax.typeof(logits).sharding.spec[-1]))
    is_target = numbers == targets[..., None]
    chosen = jnp.sum(jnp.where(is_target, logits, 0.0), axis=-1)
    losses = jnp.where(wanted, jax.nn.logsumexp(logits, axis=-1) - chosen, 0.0)
    hits = jnp.where(wanted, chosen >= jnp.max(logits, axis=-1), False)
    return jnp.sum(losses), jnp.sum(hits, dtype=jnp.float32)


def _shift(x: Array) -> Array:
    """Every position's right neighbour; zero at the end."""
    return jnp.pad(x[:, 1:], ((0, 0), (0, 1)))


def _chunks(x: Array, n: int, padding: int) -> Array:
    """[B, L, …] as [n, B, C, …], padded with zeros; split as it was, which for a single row has to be said."""
    x = jnp.pad(x, ((0, 0), (0, padding), *((0, 0),) * (x.ndim - 2)))
    rows, *rest = jax.typeof(x).sharding.spec
    shape = (x.shape[0], n, x.shape[1] // n, *x.shape[2:])
    return jnp.moveaxis(jax.lax.reshape(x, shape, out_sharding=P(rows, None, *rest)), 1, 0)
