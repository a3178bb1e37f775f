"""Our training step outside of the loop, for `training.py`, and what all contenders give back."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence
from typing import Literal, Protocol

import jax
import numpy as np
from jax.sharding import Mesh

from rstar_jax.datasets.packed import SFT_LAYOUT, fill_row
from rstar_jax.datasets.packing import TokenisedSolution, pack_sft
from rstar_jax.models.config import Head, ModelConfig
from rstar_jax.models.decoder import Params, logical_axes
from rstar_jax.training.batches import to_devices
from rstar_jax.training.loss import LossFn
from rstar_jax.training.optimizer import TrainConfig, make_optimizer
from rstar_jax.training.state import abstract_state, first_state
from rstar_jax.training.step import compile_step

Solutions = Sequence[TokenisedSolution]
Rows = dict[str, np.ndarray]


@dataclasses.dataclass(frozen=True)
class Way:
    """How a batch is laid out.

    Attributes:
      layout: a solution to a row, or several.
      at_once: rows of one call of the model (`Transformers`: solutions).
      length: tokens of a row; 0 where every call is as long as it must be.
    """

    layout: Literal["padded", "packed"]
    at_once: int
    length: int = 0

    def __str__(self) -> str:
        return f"{self.at_once} {self.layout}" + (f" of {self.length}" if self.length else "")


@dataclasses.dataclass(frozen=True)
class Done:
    """The loss of each step, and the time that all of them took."""

    losses: list[float]
    seconds: float


class Contender(Protocol):
    """A library that fine-tunes our weights."""

    name: str
    ways: Sequence[Way]

    def begin(self, way: Way) -> None:
        """Start again from the first weights."""
        ...

    def train(self, batches: Sequence[Solutions]) -> Done:
        """One step for each batch: its gradient by tokens, clipped, then AdamW."""
        ...


class Steps:
    """The compiled step of `training.loop`, fed by hand."""

    def __init__(
        self, model: ModelConfig, head: Head, loss: LossFn, params: Params | None, config: TrainConfig, mesh: Mesh
    ):
        self._mesh, self._rate = mesh, config.learning_rate
        self._first = (model, head, make_optimizer(config, logical_axes(model, head)))
        self._abstract = abstract_state(*self._first, mesh)
        self._params = params
        self._step = compile_step(loss, self._first[2], self._abstract)

    def begin(self) -> None:
        with jax.set_mesh(self._mesh):
            self._state = first_state(*self._first, self._abstract, self._params, 0)

    def train(self, batches: Sequence[Rows], microbatches: int) -> Done:
        start, losses = time.perf_counter(), []
        with jax.set_mesh(self._mesh):
            for rows in batches:
                self._state, metrics = self._step(self._state, to_devices(rows, microbatches, self._mesh), self._rate)
                losses.append(metrics["loss"])
            losses = [float(loss) for loss in losses]
            jax.block_until_ready(self._state)
        return Done(losses, time.perf_counter() - start)


class Ours:
    """Rows of one shape, as many as the fullest batch needs, so that all batches share a compiled step."""

    name = "ours"

    def __init__(self, steps: Steps, ways: Sequence[Way], batches: Sequence[Solutions]):
        self.ways, self._steps, self._batches = ways, steps, batches

    def begin(self, way: Way) -> None:
        self._way, self._calls = way, calls_per_step(self._batches, way)
        self._steps.begin()

    def train(self, batches: Sequence[Solutions]) -> Done:
        n_rows = self._calls * self._way.at_once
        return self._steps.train([padded(sft_rows(batch, self._way), n_rows) for batch in batches], self._calls)


def sft_rows(batch: Solutions, way: Way) -> Rows:
    """Arrays [R, length]; what is padded has a row for each solution."""
    if way.layout == "packed":
        packed = pack_sft(batch, way.length)
        assert not packed.dropped, f"solutions are longer than {way.length} tokens"
        return packed.arrays
    rows = SFT_LAYOUT.zeros(len(batch), way.length, 0)
    for number, solution in enumerate(batch):
        fill_row({name: array[number] for name, array in rows.items()}, [solution.segment()])
    return rows


def calls_per_step(batches: Sequence[Solutions], way: Way) -> int:
    """How often the model runs in a step, such that every batch fits."""
    return max(-(-len(sft_rows(batch, way)["tokens"]) // way.at_once) for batch in batches)


def padded(rows: Rows, count: int) -> Rows:
    """All rows, and empty ones up to `count`."""
    return {
        name: np.pad(array, [(0, count - len(array)), *[(0, 0)] * (array.ndim - 1)]) for name, array in rows.items()
    }
