"""Generation with continuous batching: what `Engine.generate` promises is in its docstring, how it is kept in
`scheduler` (who computes when), `programs` (what is computed) and `worker` (the loop).
"""

from __future__ import annotations

import dataclasses
import functools
import time
from collections.abc import Callable, Sequence

import jax
import numpy as np
from jax.sharding import Mesh

from rstar_jax.inference.config import Completion, EngineConfig, Sampling
from rstar_jax.inference.programs import Drawn, Programs
from rstar_jax.inference.scheduler import Admissions, Lane, PrefillBatch, Request, Scheduler
from rstar_jax.inference.worker import Worker
from rstar_jax.models.config import ModelConfig
from rstar_jax.models.decoder import Params, init_cache, logical_axes, unstacked
from rstar_jax.models.sharding import shardings


@dataclasses.dataclass(frozen=True)
class Dispatch:
    """One turn: some prefills, then perhaps admissions to a lane and some decoding steps of it."""

    prefills: list[PrefillBatch]
    lane: Lane | None
    admissions: list[Admissions]


class Engine(Worker):
    """The policy. Use as `async with Engine(...) as engine:`; any number of its loop's coroutines may call.

    stop_ids: tokens that end a completion.
    """

    def __init__(
        self,
        config: ModelConfig,
        params: Params,
        engine_config: EngineConfig,
        stop_ids: Sequence[int],
        mesh: Mesh,
    ):
        super().__init__(mesh)
        self.config = config
        self.engine_config = engine_config
        self.stop_ids = tuple(stop_ids)
        self.scheduler = Scheduler(engine_config, self.stop_ids, self.metrics)
        self._programs = Programs(config, engine_config.decode_steps, self.stop_ids)
        with jax.set_mesh(mesh):
            self._unstack = jax.jit(functools.partial(unstacked, config))
            self._store = init_cache(config, engine_config.prefix_rows, engine_config.max_length)
            self._slots = {length: init_cache(config, engine_config.slots, length) for length in engine_config.lengths}
        self.load(params)

    def load(self, params: Params) -> None:
        """Swap the weights; nothing is compiled anew.

        Raises:
          RuntimeError: requests are under way.
        """
        if not self.scheduler.idle:
            raise RuntimeError("weights cannot be swapped while requests are under way")
        self._clear()
        with jax.set_mesh(self.mesh):
            placed = jax.device_put(params, shardings(logical_axes(self.config), self.mesh))
            self._params = self._unstack(placed)

    async def generate(self, prompt: Sequence[int], n: int, sampling: Sampling, key: int) -> list[Completion]:
        """`n` independent completions of a prompt (token ids).

        Equal arguments give equal tokens, whatever else is running: candidate i draws token t with
        fold(fold(key, i), t). A prompt that leaves no room for a token gives n empty "overlong" completions.

        Raises:
          ValueError: an empty prompt, a token outside the vocabulary, or n < 1.
          RuntimeError: the engine does not run or has failed; the cause is attached.
        """
        tokens = np.asarray(prompt, np.int32)
        if not len(tokens) or n < 1 or tokens.min() < 0 or tokens.max() >= self.config.vocab_size:
            raise ValueError(f"cannot complete {len(tokens)} tokens {n} times, or a token is unknown")
        room = self.engine_config.max_length - len(tokens)
        if room < 1:
            return [Completion((), 0.0, "overlong")] * n
        future = self._promise()
        lane = self.scheduler.lane_of(len(tokens) + sampling.max_tokens)
        limit = min(sampling.max_tokens, room)
        self.scheduler.submit(Request(tokens, n, sampling, key, future, lane, limit))
        return await future

    @property
    def compilations(self) -> int:
        """Programs compiled so far; never more than `engine_config.compiled_shapes`."""
        return self._programs.compilations

    def warm_up(self) -> dict[str, float]:
        """Compile every program (with idle rows); seconds by program."""
        empty = self.scheduler.empty_prefill(), self.scheduler.empty_admissions()
        seconds = {}
        with jax.set_mesh(self.mesh):
            seconds["prefill"] = _seconds(lambda: self._prefill(empty[0]))
            for lane in self.scheduler.lanes.values():
                seconds[f"admit {lane.length}"] = _seconds(lambda lane=lane: self._admit(lane, empty[1]))
                seconds[f"decode {lane.length}"] = _seconds(lambda lane=lane: self._decode(lane))
        return seconds

    def _plan(self) -> Dispatch | None:
        prefills = list(iter(self.scheduler.plan_prefill, None))
        lane = self.scheduler.next_lane()
        if not prefills and lane is None:
            return None
        return Dispatch(prefills, lane, self.scheduler.plan_admissions(lane) if lane else [])

    def _compute(self, plan: Dispatch) -> Drawn | None:
        for batch in plan.prefills:
            self._prefill(batch)
        if plan.lane is None:
            return None
        for admissions in plan.admissions:
            self._admit(plan.lane, admissions)
        return self._decode(plan.lane)

    def _absorb(self, plan: Dispatch, result: Drawn | None) -> None:
        if plan.lane is not None:
            assert result is not None  # `_compute` has decoded the lane
            self.scheduler.absorb(plan.lane, np.asarray(result.tokens), np.asarray(result.logprobs))

    def _clear(self) -> None:
        self.scheduler.clear()

    def _prefill(self, batch: PrefillBatch) -> None:
        self._store = self._programs.prefill(
            self._params, self._store, batch.sources, batch.targets, batch.tokens, batch.positions
        )

    def _admit(self, lane: Lane, admissions: Admissions) -> None:
        slots = self._slots[lane.length]
        self._slots[lane.length] = self._programs.admit(slots, self._store, admissions.sources, admissions.targets)

    def _decode(self, lane: Lane) -> Drawn:
        cache, drawn = self._programs.decode(self._params, self._slots[lane.length], lane.state)
        self._slots[lane.length] = cache
        return jax.device_get(drawn)


def _seconds(action: Callable[[], object]) -> float:
    start = time.perf_counter()
    action()
    return time.perf_counter() - start
