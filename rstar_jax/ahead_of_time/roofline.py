"""How long a program takes at least, from what it has to compute, to move in memory, and to exchange.

All of it is an estimate: nothing has run. `Work` is counted by hand from the architecture, except for what a compiled
program communicates, which is read from it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

import jax.numpy as jnp

from rstar_jax.ahead_of_time.chips import Slice
from rstar_jax.ahead_of_time.hlo import Collective
from rstar_jax.ahead_of_time.weights import block_elements, head_elements, outer_elements
from rstar_jax.models.config import Head, ModelConfig
from rstar_jax.training.flops import causal, hardware_flops, train_flops
from rstar_jax.training.optimizer import TrainConfig


@dataclasses.dataclass(frozen=True)
class Mesh3:
    """Sizes of the mesh's axes."""

    data: int
    fsdp: int
    tensor: int

    @property
    def shards(self) -> int:
        """Parts that have rows of their own."""
        return self.data * self.fsdp

    @property
    def n_chips(self) -> int:
        return self.shards * self.tensor


@dataclasses.dataclass(frozen=True)
class Work:
    """Of one chip in one run of a program.

    useful: FLOPs that the model needs. done: with what is computed twice. hbm: bytes read and written.
    communication: seconds on the links.
    """

    useful: float
    done: float
    hbm: float
    communication: float


@dataclasses.dataclass(frozen=True)
class Estimate:
    """Seconds of each part; `best` if they all run at once, `worst` if one waits for the other."""

    compute: float
    memory: float
    communication: float
    mfu_best: float
    mfu_worst: float

    @property
    def best(self) -> float:
        return max(self.compute, self.memory, self.communication)

    @property
    def worst(self) -> float:
        return self.compute + self.memory + self.communication


def estimate(work: Work, place: Slice) -> Estimate:
    """Model FLOPs utilisation (MFU) is of the chip's bfloat16 peak."""
    chip = place.chip
    parts = work.done / chip.flops, work.hbm / chip.hbm_bandwidth, work.communication
    useful = work.useful / chip.flops
    return Estimate(*parts, mfu_best=useful / max(parts), mfu_worst=useful / sum(parts))


def step_work(model: ModelConfig, head: Head, mesh: Mesh3, rows: int, run: TrainConfig, place: Slice) -> Work:
    """Of a training step, by hand. rows: of each shard, in each microbatch."""
    parts, tokens = run.microbatches, rows * run.row_length
    all_rows = parts * mesh.shards * rows
    size = all_rows * run.row_length, all_rows * causal(run.row_length, model.window)
    return Work(
        train_flops(model, head, *size) / mesh.n_chips,
        hardware_flops(model, head, *size, run.remat) / mesh.n_chips,
        parts * _step_hbm(model, head, mesh, tokens),
        parts * _step_communication(model, head, mesh, tokens, place),
    )


def _step_hbm(model: ModelConfig, head: Head, mesh: Mesh3, tokens: int) -> float:
    """Bytes that a microbatch reads and writes.

    Gathered weights are written twice and read three times, gradients and optimizer state take 7 passes over a shard,
    and a layer's activations go to memory and back in each of four passes.
    """
    size, rest = (jnp.dtype(dtype).itemsize for dtype in (model.compute_dtype, model.param_dtype))
    gathered = block_elements(model, head, mesh.tensor) + outer_elements(model, head, mesh.tensor)
    activations = 16 * model.d_model + 6 * model.d_ff / mesh.tensor
    return 5 * gathered * size + 7 * gathered / mesh.fsdp * rest + 4 * model.n_layers * tokens * activations * size


def _step_communication(model: ModelConfig, head: Head, mesh: Mesh3, tokens: int, place: Slice) -> float:
    """Seconds of a microbatch on the links.

    Over fsdp weights are gathered twice and gradients scattered once; over data gradients are summed; over tensor the
    stream is summed six times a layer: twice in each of the forward pass, its repetition, and the backward pass.
    """
    size = jnp.dtype(model.compute_dtype).itemsize
    gathered = (block_elements(model, head, mesh.tensor) + outer_elements(model, head, mesh.tensor)) * size
    stream = 6 * model.n_layers * tokens * model.d_model * size
    parts = (
        (3 * gathered, mesh.fsdp),
        (2 * gathered / mesh.fsdp, mesh.data),
        (2 * stream, mesh.tensor),
    )
    return sum(bytes_ * (n - 1) / n / place.ici_bandwidth(n) for bytes_, n in parts)


def communication(found: Iterable[Collective], place: Slice) -> float:
    """Seconds that a compiled program's collectives take on the links, one after the other."""
    return sum(one.times * one.wire_bytes / place.ici_bandwidth(len(one.group)) for one in found)


def decode_work(model: ModelConfig, mesh: Mesh3, rows: int, context: int, tokens: int, seconds: float) -> Work:
    """Of drawing `tokens` tokens for each of `rows` rows of a shard, which stand behind `context` tokens each.

    seconds: of communication.
    """
    return _engine_work(model, "lm", mesh, rows, context, rows, tokens, seconds)


def score_work(model: ModelConfig, mesh: Mesh3, rows: int, context: int, item: int, seconds: float) -> Work:
    """Of running `rows` tokens of a shard, of which `item` consecutive ones read their `context` tokens together."""
    return _engine_work(model, "value", mesh, rows, context, rows // item, 1, seconds)


def _engine_work(
    model: ModelConfig, head: Head, mesh: Mesh3, rows: int, context: int, readers: int, times: int, seconds: float
) -> Work:
    """All weights are read, and the keys and values of `readers` contexts."""
    size = jnp.dtype(model.compute_dtype).itemsize
    read = block_elements(model, head, mesh.tensor) + head_elements(model, head) // mesh.tensor
    cache = 2 * model.n_layers * model.n_kv_heads * model.head_dim // mesh.tensor
    attention = 4 * model.n_layers * model.n_heads * model.head_dim * context
    flops = rows * (2 * block_elements(model, head) + attention + 2 * head_elements(model, head)) / mesh.tensor
    return Work(times * flops, times * flops, times * (read + readers * context * cache) * size, seconds)
