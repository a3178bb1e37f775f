"""The engines of policy and PPM: one machine, which computes every prefix once while it is warm.

What `PolicyEngine.generate` and `PPMEngine.score` promise is in their docstrings. How it is kept: `pages` (what is
known), `shard` and `scheduler` (who computes when), `programs` (what is computed), `worker` (the loop).
"""

from __future__ import annotations

import functools
import time
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh

from rstar_jax.inference.attention import PagedAttention, choose
from rstar_jax.inference.config import Completion, EngineConfig, OverlongError, Sampling
from rstar_jax.inference.filling import ExtendBatch
from rstar_jax.inference.jobs import Branch, Drawing, Request
from rstar_jax.inference.layout import data_shards
from rstar_jax.inference.memory import count_pages, make_pools, page_bytes
from rstar_jax.inference.programs import Drawn, Programs
from rstar_jax.inference.running import DecodeBatch
from rstar_jax.inference.scheduler import CopyBatch, Dispatch, Scheduler
from rstar_jax.inference.text_stops import Decode, StopTexts
from rstar_jax.inference.worker import Worker
from rstar_jax.models.config import Head, ModelConfig
from rstar_jax.models.decoder import Params, logical_axes, unstacked
from rstar_jax.models.sharding import shardings

Tokens = Sequence[int] | np.ndarray
Turn = list[Dispatch]
Results = tuple[list[np.ndarray], Drawn | None]


class Engine(Worker):
    """What both engines share. Use as `async with engine:`; any number of its loop's coroutines may call."""

    head: Head

    def __init__(
        self,
        config: ModelConfig,
        params: Params,
        engine_config: EngineConfig,
        mesh: Mesh,
        stop_ids: Sequence[int] = (),
        stop_texts: StopTexts | None = None,
        attention: PagedAttention | None = None,
    ):
        super().__init__(mesh)
        self.config = config
        self.engine_config = engine_config
        self._shards, pages = data_shards(mesh), count_pages(config, engine_config, mesh)
        self.scheduler = Scheduler(
            engine_config, self._shards, pages, stop_ids, self.metrics, stop_texts, self.head == "value"
        )
        attention = attention or choose(mesh, engine_config.block, config.window)
        self._programs = Programs(config, self.head, attention, engine_config.decode_steps, tuple(stop_ids))
        with jax.set_mesh(mesh):
            self._unstack = jax.jit(functools.partial(unstacked, config))
            self._pools = make_pools(config, engine_config, pages, mesh)
        self.load(params)

    def load(self, params: Params) -> None:
        """Swap the weights; nothing is compiled anew, and nothing is left of what the old ones computed.

        Layers may be stacked, which takes the memory of a copy, or come as a list (`decoder.unstacked`).

        Raises:
          RuntimeError: requests are under way.
        """
        if self._open or not self.scheduler.idle:
            raise RuntimeError("weights cannot be swapped while requests are under way")
        self._clear()
        with jax.set_mesh(self.mesh):
            stacked = not isinstance(params["blocks"], list)
            places = shardings(logical_axes(self.config, self.head, stacked), self.mesh)
            placed = jax.device_put(params, places)
            self._params = self._unstack(placed) if stacked else placed

    @property
    def compilations(self) -> int:
        """Programs compiled so far; never more than `engine_config.compiled_shapes(head)`."""
        return self._programs.compilations

    def warm_up(self) -> dict[str, float]:
        """Compile every program (with idle rows); seconds by program."""
        sizes, scheduler, seconds = self.engine_config, self.scheduler, {}
        turns: dict[str, Dispatch] = {"copy": scheduler.empty_copies()}
        turns |= {f"extend {rows}": scheduler.empty_extend(rows) for rows in sizes.tokens}
        if self.head == "lm":
            for rows in sizes.rows:
                turns[f"decode {rows}"] = self.scheduler.empty_decode(rows)
        with jax.set_mesh(self.mesh):
            for name, dispatch in turns.items():
                start = time.perf_counter()
                jax.block_until_ready(self._compute([dispatch]))
                seconds[name] = time.perf_counter() - start
        return seconds

    def describe(self) -> str:
        """One line about sizes, for the log."""
        pages, size = self.scheduler.pages, self.engine_config.page_size
        mib = pages * page_bytes(self.config, self.engine_config, self.mesh) / 2**20
        return f"{self._shards} x {pages} pages of {size} tokens ({mib:.0f} MiB a device)"

    def _request(self, count: int) -> Request:
        return Request(self.scheduler.next_number(), count, self._promise())

    def _check(self, tokens: np.ndarray) -> None:
        if len(tokens) and (tokens.min() < 0 or tokens.max() >= self.config.vocab_size):
            raise ValueError("a token is outside the vocabulary")

    def _plan(self) -> Turn | None:
        return self.scheduler.plan() or None

    def _compute(self, plan: Turn) -> Results:
        values, drawn = [], None
        for dispatch in plan:
            if isinstance(dispatch, CopyBatch):
                self._pools = self._programs.copy(self._pools, dispatch.sources, dispatch.targets)
            elif isinstance(dispatch, ExtendBatch):
                self._pools, value = self._programs.extend(self._params, self._pools, dispatch.tokens, dispatch.where)
                values.append(value)
            else:
                drawn = self._decode(dispatch)
        return jax.device_get((values, drawn))

    def _decode(self, batch: DecodeBatch) -> Drawn:
        self._pools, drawn = self._programs.decode(self._params, self._pools, batch.slots, batch.where)
        return drawn

    def _clear(self) -> None:
        self.scheduler.clear()


class PolicyEngine(Engine):
    """Generation.

    stop_ids: tokens that end a completion. decode: the text of tokens, for `Sampling.stop`.
    """

    head = "lm"

    def __init__(
        self,
        config: ModelConfig,
        params: Params,
        engine_config: EngineConfig,
        stop_ids: Sequence[int],
        mesh: Mesh,
        decode: Decode | None = None,
        attention: PagedAttention | None = None,
    ):
        stop_texts = StopTexts(decode) if decode else None
        super().__init__(config, params, engine_config, mesh, stop_ids, stop_texts, attention)

    async def generate(self, prompt: Tokens, n: int, sampling: Sampling, key: int) -> list[Completion]:
        """`n` independent completions of a prompt (token ids), which is computed once.

        Equal arguments give equal tokens, whatever else is running: candidate i draws token t with
        fold(fold(key, i), t). A prompt that leaves no room for a token gives n empty "overlong" completions.

        Raises:
          ValueError: an empty prompt, a token outside the vocabulary, n < 1, or stop texts without `decode`.
          RuntimeError: the engine does not run or has failed; the cause is attached.
        """
        tokens = np.asarray(prompt, np.int32)
        if not len(tokens) or n < 1:
            raise ValueError(f"cannot complete {len(tokens)} tokens {n} times")
        if sampling.stop and self.scheduler.stop_texts is None:
            raise ValueError("stop texts need an engine that was given `decode`")
        self._check(tokens)
        room = self.engine_config.max_length - len(tokens)
        if room < 1:
            return [Completion((), 0.0, "overlong")] * n
        request = self._request(n)
        drawing = Drawing(tokens, sampling, key, min(sampling.max_tokens, room))
        self.scheduler.submit(request, tokens[:-1], [Branch(request, i, drawing=drawing) for i in range(n)])
        return await request.future

    def _absorb(self, plan: Turn, result: Results) -> None:
        drawn = result[1]
        if drawn is not None:
            self.scheduler.absorb(drawn.tokens, drawn.logprobs)


class PPMEngine(Engine):
    """Scoring."""

    head = "value"

    def __init__(
        self,
        config: ModelConfig,
        params: Params,
        engine_config: EngineConfig,
        mesh: Mesh,
        attention: PagedAttention | None = None,
    ):
        super().__init__(config, params, engine_config, mesh, attention=attention)

    async def score(self, prompt: Tokens, branches: Sequence[Tokens]) -> list[float]:
        """The raw value at the last token of each branch behind the prompt, as if each branch stood alone.

        Only what follows the longest known beginning of a path is run through the model.

        Raises:
          ValueError: an empty branch, or a token outside the vocabulary.
          OverlongError: a branch with its prompt is longer than the longest context.
          RuntimeError: the engine does not run or has failed; the cause is attached.
        """
        if not branches:
            return []
        if not all(len(branch) for branch in branches):
            raise ValueError("a branch is empty")
        trunk = np.asarray(prompt, np.int32)
        paths = [np.concatenate([trunk, np.asarray(branch, np.int32)]) for branch in branches]
        longest = max(map(len, paths))
        if longest > self.engine_config.max_length:
            raise OverlongError(f"a path of {longest} tokens exceeds the context, {self.engine_config.max_length}")
        self._check(np.concatenate(paths))
        request = self._request(len(paths))
        self.scheduler.submit(request, trunk, [Branch(request, i, path=path) for i, path in enumerate(paths)])
        return await request.future

    def _absorb(self, plan: Turn, result: Results) -> None:
        batches: list[Any] = [dispatch for dispatch in plan if isinstance(dispatch, ExtendBatch)]
        for batch, values in zip(batches, result[0], strict=True):
            for branch, row in batch.ends:
                branch.request.deliver(branch.number, float(values[row]))
