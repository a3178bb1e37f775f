"""Which mesh and how many rows suit a training step on a slice: an analytic model ranks all, few are compiled.

    candidates    all ways to split the chips over data, fsdp and tensor, with 1, 2, 4, … rows on a shard
    judge         memory and time of a candidate, counted by hand
    rank          the fastest of those that fit
    search        the first few, compiled
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterable, Iterator

import jax.numpy as jnp

from rstar_jax.ahead_of_time.chips import Slice
from rstar_jax.ahead_of_time.report import Cell, training_cell
from rstar_jax.ahead_of_time.roofline import Estimate, Mesh3, estimate, step_work
from rstar_jax.ahead_of_time.training import Step, state_bytes
from rstar_jax.ahead_of_time.weights import block_elements, outer_elements
from rstar_jax.models.config import ModelConfig
from rstar_jax.models.remat import Remat
from rstar_jax.models.sharding import abstract_mesh

_ROWS = (1, 2, 4, 8, 16, 32)
_USABLE = 0.92  # of a chip's memory; the compiler keeps some, and the count by hand is coarse


@dataclasses.dataclass(frozen=True)
class Candidate:
    """rows: of each shard of data and fsdp, in each microbatch. bytes: on each chip, by hand."""

    mesh: Mesh3
    rows: int
    bytes: float
    time: Estimate

    def fits(self, place: Slice) -> bool:
        return self.bytes <= _USABLE * place.chip.hbm_bytes


def meshes(model: ModelConfig, n_chips: int) -> Iterator[Mesh3]:
    """Every data x fsdp x tensor of so many chips that the model can be split over."""
    for tensor in _divisors(n_chips):
        if model.n_kv_heads % tensor or model.d_ff % tensor or model.rows % tensor:
            continue
        for fsdp in _divisors(n_chips // tensor):
            if model.d_model % fsdp == 0:
                yield Mesh3(n_chips // tensor // fsdp, fsdp, tensor)


def _divisors(n: int) -> list[int]:
    return [one for one in range(1, n + 1) if n % one == 0]


def judge(model: ModelConfig, step: Step, mesh: Mesh3, rows: int, place: Slice) -> Candidate:
    work = step_work(model, step.head, mesh, rows, step.run, place)
    return Candidate(mesh, rows, step_bytes(model, step, mesh, rows), estimate(work, place))


def step_bytes(model: ModelConfig, step: Step, mesh: Mesh3, rows: int) -> float:
    """Memory of a step on each chip, as far as it can be told by hand.

    At rest: the state, and gradients. In use: the weights of two layers and of the outer part with its gradient; the
    stream between layers (or all of their activations without remat), one layer's activations, and a chunk's logits.
    """
    size = jnp.dtype(model.compute_dtype).itemsize
    blocks, outer = (count(model, step.head, mesh.tensor) for count in (block_elements, outer_elements))
    gradients = (blocks + outer) / mesh.fsdp * jnp.dtype(model.param_dtype).itemsize
    resting = _state_bytes(model, step, mesh) + gradients * min(step.run.microbatches, 2)
    gathered = (2 * blocks / model.n_layers + 2 * outer) * size
    tokens = rows * step.run.row_length
    kept = _kept(model, mesh.tensor)
    layer = tokens * kept["none"] * size
    stream = tokens * model.n_layers * kept[step.run.remat] * size
    chunk = min(step.run.loss_chunk, step.run.row_length)
    logits = 3 * rows * chunk * model.rows / mesh.tensor * 4 if step.head == "lm" else 0
    return resting + gathered + stream + layer + logits


def _kept(model: ModelConfig, tensor: int) -> dict[Remat, float]:
    """Numbers that a chip keeps per token and layer; but for "none" those that `models.remat` tells."""
    stream, ffw = model.d_model, model.d_ff / tensor
    queries, keys = (count * model.head_dim / tensor for count in (model.n_heads, model.n_kv_heads))
    return {
        "none": 8 * stream + 3 * queries + 6 * keys + 5 * ffw,
        "products": 2 * stream + 2 * (queries + keys) + 2 * ffw,
        "attention": stream + queries,
        "full": stream,
        "offload": 0.0,
    }


@functools.cache
def _state_bytes(model: ModelConfig, step: Step, mesh: Mesh3) -> int:
    return state_bytes(model, step, abstract_mesh(*dataclasses.astuple(mesh)))


def rank(model: ModelConfig, step: Step, place: Slice, rows: Iterable[int] = _ROWS) -> list[Candidate]:
    """All candidates, the best first.

    Those that fit come first, by the time that a token takes; where that is equal the fewer rows, as a batch of the
    paper is small, and then the fewer parts of tensor. Those that do not fit follow by what they need.
    """
    rows = tuple(rows)
    found = [judge(model, step, mesh, one, place) for mesh in meshes(model, place.n_chips) for one in rows]

    def order(one: Candidate) -> tuple:
        if not one.fits(place):
            return 1, one.bytes
        per_token = one.time.worst / (one.rows * one.mesh.shards)
        return 0, float(f"{per_token:.2g}"), one.rows * one.mesh.shards, one.mesh.tensor

    return sorted(found, key=order)


def search(
    model: ModelConfig, step: Step, place: Slice, tries: int, until_one_fits: bool = False
) -> Iterator[Cell]:
    """The first of the ranking, compiled one after the other, each with what was counted `by_hand`.

    Where none fits by hand, only the one that needs least is compiled: the compiler has the last word.
    """
    ranking = rank(model, step, place)
    fitting = [one for one in ranking if one.fits(place)]
    for one in fitting[:tries] or ranking[:1]:
        rows = one.rows * one.mesh.shards * step.run.microbatches
        cell = training_cell(model, dataclasses.replace(step, rows=rows), one.mesh, place)
        by_hand = {"bytes": one.bytes, "best": one.time.best, "worst": one.time.worst}
        yield cell | {"candidates": len(ranking), "fitting": len(fitting), "by_hand": by_hand}
        if until_one_fits and cell["fits"]:
            return
