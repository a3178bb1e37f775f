"""What a training step communicates, against what it has to.

Weights that rest split over `fsdp` are gathered for use: a layer's in the forward pass and again in the backward pass,
the embedding once, the head twice. Their gradients are scattered once, and summed over `data`. Tensors that rest whole,
norms and biases, have their gradients summed. Beside these there are only scalars, and what is exchanged over `tensor`.
All else is surplus. A weight that is gathered, or a gradient that is scattered, by an all-reduce is `doubled`: it takes
twice the bytes. Compilers do so where groups lie across the links in a way that they have no gather for.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterable, Iterator
from typing import Literal

import numpy as np

from rstar_jax.ahead_of_time.hlo import Collective
from rstar_jax.ahead_of_time.roofline import Mesh3
from rstar_jax.ahead_of_time.training import Step
from rstar_jax.ahead_of_time.weights import Weight, weights
from rstar_jax.models.config import ModelConfig
from rstar_jax.models.sharding import MESH_AXES

Purpose = Literal["weights", "gradients", "scalars", "tensor", "engine", "doubled", "surplus"]
_SCALAR = 16  # elements at most


@dataclasses.dataclass(frozen=True)
class Exchange:
    """A collective with what it is for. axes: of the mesh, over which it goes. what: the tensors it may be about."""

    purpose: Purpose
    collective: Collective
    axes: tuple[str, ...]
    what: str


def mesh_axes(group: tuple[int, ...], mesh: Mesh3) -> tuple[str, ...]:
    """The axes along which a group of partitions lies; all of them where no group is told."""
    sizes = (mesh.data, mesh.fsdp, mesh.tensor)
    places = np.array(np.unravel_index(np.array(group or range(mesh.n_chips)), sizes))
    return tuple(axis for axis, row in zip(MESH_AXES, places, strict=True) if len(set(row.tolist())) > 1)


def classify(found: Iterable[Collective], model: ModelConfig, step: Step, mesh: Mesh3) -> list[Exchange]:
    """Every collective with its purpose. One that runs more often than needed is in two parts, needed and surplus."""
    budget = _budget(model, step, mesh)
    return list(itertools.chain.from_iterable(_spend(budget, one, mesh) for one in found))


@dataclasses.dataclass
class _Need:
    """Tensors of one size, and how often one of them still has to be exchanged."""

    times: int = 0
    names: list[str] = dataclasses.field(default_factory=list)


_Role = Literal["gather", "scatter", "sum over data", "sum"]
_Budget = dict[tuple[_Role, int], _Need]  # by elements


def _budget(model: ModelConfig, step: Step, mesh: Mesh3) -> _Budget:
    """What a step needs. Gradients that are scattered may be summed over data layer by layer or all at once."""
    budget: _Budget = {}

    def allow(role: _Role, elements: int, times: int, name: str) -> None:
        need = budget.setdefault((role, elements), _Need())
        need.times += times * step.run.microbatches
        need.names.append(name)

    for one in weights(model, step.head):
        size, uses = one.gathered(mesh.tensor), _uses(one, model, step)
        if not one.is_matrix:
            allow("sum", size, one.layers, one.name)
            continue
        allow("gather", size, uses * one.layers, one.name)
        gradients = (2 if uses == 3 else 1) * one.layers  # of a tied embedding as table and as head
        allow("scatter", size, gradients, one.name)
        for whole in {size // mesh.fsdp, size * one.layers // mesh.fsdp}:
            allow("sum over data", whole, gradients, one.name)
    return budget


def _uses(one: Weight, model: ModelConfig, step: Step) -> int:
    """How often a step needs a matrix: a layer's and the head's twice, the embedding's rows once."""
    if one.name != "outer.embed":
        return 2
    return 3 if model.tie_embeddings and step.head == "lm" else 1


def _spend(budget: _Budget, one: Collective, mesh: Mesh3) -> Iterator[Exchange]:
    axes = mesh_axes(one.group, mesh)
    known = dict.fromkeys(name for (_, size), need in budget.items() if size == one.elements for name in need.names)
    if one.elements <= _SCALAR:
        yield Exchange("scalars", one, axes, one.source)
        return
    if axes == ("tensor",):
        yield Exchange("tensor", one, axes, one.source)
        return
    what, left = ", ".join(known) or one.source, one.times
    for role, purpose in _roles(one, axes):
        need = budget.get((role, one.elements), _Need())
        times = min(left, need.times)
        need.times -= times
        left -= times
        if times:
            yield Exchange(purpose, dataclasses.replace(one, times=times), axes, what)
    if left:
        yield Exchange("surplus", dataclasses.replace(one, times=left), axes, what)


def _roles(one: Collective, axes: tuple[str, ...]) -> list[tuple[_Role, Purpose]]:
    """What a collective may be needed for."""
    if one.kind == "all-gather" and axes == ("fsdp",):
        return [("gather", "weights")]
    if one.kind == "reduce-scatter" and axes == ("fsdp",):
        return [("scatter", "gradients")]
    if one.kind == "all-reduce" and axes == ("data",):
        return [("sum over data", "gradients"), ("sum", "gradients")]
    if one.kind == "all-reduce":
        return [("sum", "gradients"), ("gather", "doubled"), ("scatter", "doubled")]
    return []
