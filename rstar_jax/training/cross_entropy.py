"""Cross-entropy through the LM head without an array of all logits, and its gradient in the same pass.

A position that nobody asks for (a prompt, what was printed, padding) costs nothing: those that are wanted are brought
to the front of their rows, and chunks are taken for as long as any row has one. In each the gradient of the logits
follows from what their softmax has computed anyway, so the backward pass projects nothing again (as in Liger Kernel,
Hsu et al. 2024). The head is gathered over fsdp once, and so is its gradient scattered.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import NamedTuple, TypeVar

import jax
import jax.numpy as jnp
from jax.sharding import PartitionSpec as P
from jaxtyping import Array, Bool, Float, Int

from rstar_jax.models import lm_head
from rstar_jax.models.config import ModelConfig
from rstar_jax.models.decoder import Params
from rstar_jax.models.sharding import gather

Sums = tuple[Float[Array, ""], Float[Array, ""]]
"""Over the wanted positions: of the cross-entropy, and of greedy hits."""
Carry = TypeVar("Carry")


def chunked_cross_entropy(
    config: ModelConfig,
    params: Params,
    hidden: Float[Array, "B L D"],
    targets: Int[Array, "B L"],
    wanted: Bool[Array, "B L"],
    chunk: int,
) -> Sums:
    """Sums over the wanted positions of the cross-entropy and of greedy hits.

    Logits exist for `chunk` positions of each row at a time. Only the first sum has a gradient.
    """
    return _sums(config, min(chunk, hidden.shape[1]), lm_head.weight(config, params), hidden, targets, wanted)


@functools.partial(jax.custom_vjp, nondiff_argnums=(0, 1))
def _sums(config: ModelConfig, chunk: int, head: Array, hidden: Array, targets: Array, wanted: Array) -> Sums:
    front, used, _ = wanted_first(chunk, hidden, targets, wanted)
    whole = gather(head.astype(hidden.dtype), lm_head.axes(config))

    def add(at: Array, sums: Sums) -> Sums:
        part = _cross_entropy(config, whole, *_chunk(front, at, chunk))
        return sums[0] + part[0], sums[1] + part[1]

    return _turns(used, front, chunk, add, (jnp.zeros(()), jnp.zeros(())))


def _with_gradient(
    config: ModelConfig, chunk: int, head: Array, hidden: Array, targets: Array, wanted: Array
) -> tuple[Sums, tuple[Array, Array]]:
    """The sums, and the gradient of the first by head and hidden states."""
    front, used, place = wanted_first(chunk, hidden, targets, wanted)
    axes = lm_head.axes(config)
    whole = gather(head.astype(hidden.dtype), axes)
    gradient = jax.value_and_grad(functools.partial(_cross_entropy, config), argnums=(0, 1), has_aux=True)

    def add(at: Array, carry: tuple[Sums, Array, Array]) -> tuple[Sums, Array, Array]:
        sums, by_head, by_hidden = carry
        (loss, hits), (more, here) = gradient(whole, *_chunk(front, at, chunk))
        by_hidden = jax.lax.dynamic_update_slice_in_dim(by_hidden, here, at * chunk, axis=1)
        return (sums[0] + loss, sums[1] + hits), by_head + more.astype(jnp.float32), by_hidden

    # Sums of many bfloat16 gradients would lose the later ones.
    by_head = jnp.zeros(whole.shape, jnp.float32, out_sharding=_parts(whole))
    start = (jnp.zeros(()), jnp.zeros(())), by_head, jnp.zeros_like(front.hidden)
    sums, by_head, by_hidden = _turns(used, front, chunk, add, start)
    by_head = jax.sharding.reshard(by_head.astype(head.dtype), jax.typeof(head).sharding.spec)
    return sums, (by_head, jnp.where(wanted[..., None], _taken(by_hidden, place), 0))


def _scaled(config: ModelConfig, chunk: int, gradient: tuple[Array, Array], by_sums: Sums):
    return *(jax.tree.map(lambda leaf: by_sums[0].astype(leaf.dtype) * leaf, gradient)), None, None


_sums.defvjp(_with_gradient, _scaled)


def _cross_entropy(
    config: ModelConfig,
    head: Array,
    hidden: Float[Array, "B C D"],
    targets: Int[Array, "B C"],
    wanted: Bool[Array, "B C"],
) -> Sums:
    logits = lm_head.project(config, head, hidden)
    # A comparison instead of a gather: V is sharded, and only the shard that has the target contributes.
    # It numbers its own part: with all numbers everywhere the comparison would be as large as all of V.
    numbers = jax.sharding.reshard(jnp.arange(logits.shape[-1]), P(jax.typeof(logits).sharding.spec[-1]))
    is_target = numbers == targets[..., None]
    chosen = jnp.sum(jnp.where(is_target, logits, 0.0), axis=-1)
    losses = jnp.where(wanted, jax.nn.logsumexp(logits, axis=-1) - chosen, 0.0)
    hits = jnp.where(wanted, chosen >= jnp.max(logits, axis=-1), False)
    return jnp.sum(losses), jnp.sum(hits, dtype=jnp.float32)


class Front(NamedTuple):
    """The positions that are wanted, in their order, and others behind them; as many as whole chunks hold."""

    hidden: Float[Array, "B M D"]
    targets: Int[Array, "B M"]
    wanted: Bool[Array, "B M"]


def wanted_first(
    chunk: int, hidden: Array, targets: Array, wanted: Array
) -> tuple[Front, Int[Array, ""], Int[Array, "B L"]]:
    """The wanted positions, the chunks that hold them, and where each wanted one went; the rest is nobody's."""
    length = hidden.shape[1]
    count, place = jnp.cumsum(wanted, axis=1), jnp.arange(length)
    # The m-th that is wanted stands behind all positions up to which there are at most m: no sort, no scatter.
    order = jnp.minimum(jnp.sum(count[:, None, :] <= place[:, None], axis=-1), length - 1)
    front = _taken(hidden, order), _taken(targets, order), place < count[:, -1:]
    front = Front(*(jnp.pad(x, ((0, 0), (0, -length % chunk), *((0, 0),) * (x.ndim - 2))) for x in front))
    return front, -(-jnp.max(count[:, -1]) // chunk), jnp.maximum(count - 1, 0)


def _taken(x: Array, order: Int[Array, "B L"]) -> Array:
    """`x[b, order[b, l]]`."""
    return jnp.take_along_axis(x, order.reshape(*order.shape, *(1,) * (x.ndim - 2)), axis=1)


def _chunk(front: Front, at: Array, chunk: int) -> list[Array]:
    return [jax.lax.dynamic_slice_in_dim(x, at * chunk, chunk, axis=1) for x in front]


def _turns(used: Array, front: Front, chunk: int, add: Callable[[Array, Carry], Carry], start: Carry) -> Carry:
    """`add` for each chunk in use. The bound that is known is told too, to those who read the compiled program."""
    most = front.wanted.shape[1] // chunk
    carry = jax.lax.while_loop(
        lambda carry: (carry[0] < most) & (carry[0] < used),
        lambda carry: (carry[0] + 1, add(*carry)),
        (jnp.zeros((), jnp.int32), start),
    )
    return carry[1]


def _parts(whole: Array) -> P:
    """Where the gradient of a gathered head lies: every shard has that of its own rows, which nobody has summed."""
    spec = jax.typeof(whole).sharding.spec
    return P(*spec.partitions, unreduced=spec.reduced)
