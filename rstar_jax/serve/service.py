"""Thinks about requests, any number at a time, with one system that they share."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import logging
import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, Protocol

from rstar_jax.problems.problem import Problem
from rstar_jax.serve.limits import Busy, Gate, Limits
from rstar_jax.serve.protocol import ApiError, ChatRequest, effort_of, internal_error, question_of
from rstar_jax.serve.replies import DONE, KEEP_ALIVE, Reply, event
from rstar_jax.thinking.thought import Clock, Effort, QuestionTooLong, Thought, as_problem
from rstar_jax.thinking.view import Say
from rstar_jax.thinking.words import progress

log = logging.getLogger(__name__)

SECONDS_OF_SILENCE = 10.0  # in a stream; then something is sent, so that nobody in between takes it for dead
RETRY_AFTER = 5  # seconds


class Thinker(Protocol):
    """What of `thinking.system.System` is used."""

    @property
    def failed(self) -> bool: ...

    def prompt_tokens(self, problem: Problem) -> int: ...

    def begin(self, problem: Problem, effort: Effort) -> Thought: ...

    async def think(
        self,
        thought: Thought,
        *,
        seconds: float | None = None,
        stop: asyncio.Event | None = None,
        on_rollout: Callable[[Thought], None] | None = None,
    ) -> Thought: ...


@dataclasses.dataclass(frozen=True)
class _Task:
    """A request that has been understood."""

    thought: Thought
    reply: Reply
    with_usage: bool


class Service:
    """name: of the model. effort: where a request does not say. closing: ends all searches with the best so far."""

    def __init__(
        self,
        system: Thinker,
        name: str,
        effort: Effort,
        limits: Limits,
        closing: asyncio.Event,
        say: Say,
        clock: Clock = time.monotonic,
        wall_clock: Clock = time.time,
    ) -> None:
        self.system, self.name, self.effort, self.limits, self.closing = system, name, effort, limits, closing
        self.gate = Gate(limits.running, limits.waiting)
        self._say, self._clock, self._wall_clock = say, clock, wall_clock
        self.began = int(wall_clock())

    async def complete(self, request: ChatRequest) -> dict[str, Any]:
        """A `chat.completion`. Raises ApiError."""
        task = self._understand(request)
        with self._place():
            await self._work(task)
        return task.reply.whole(task.thought)

    async def stream(self, request: ChatRequest) -> AsyncIterator[str]:
        """Server-sent events: the beginning, a line for each rollout, the solution step by step, its end.

        An ApiError that is known at once is raised before the first event; what happens later is an event.
        """
        task, news = self._understand(request), asyncio.Event()
        with self._place():
            working = asyncio.create_task(self._work(task, lambda _: news.set()))
            working.add_done_callback(lambda _: news.set())
            try:
                yield event(task.reply.first())
                while not working.done():
                    piece = await self._news(task, news, working)
                    if piece is not None:
                        yield piece
                working.result()
            except ApiError as error:
                yield event(error.body)
                return
            finally:
                await _ended(working)
        for piece in task.reply.solution(task.thought):
            yield event(piece)
        if task.with_usage:
            yield event(task.reply.usage(task.thought))
        yield DONE

    def _understand(self, request: ChatRequest) -> _Task:
        if request.model != self.name:
            message = f"the model {request.model!r} does not exist; this server has {self.name!r}"
            raise ApiError(message, status=404, param="model", code="model_not_found")
        problem = as_problem(question_of(request.messages))
        effort = effort_of(request, self.effort, self.limits)
        try:
            tokens, thought = self.system.prompt_tokens(problem), self.system.begin(problem, effort)
        except QuestionTooLong as error:
            raise ApiError(str(error), param="messages", code="context_length_exceeded") from None
        name, now = f"chatcmpl-{uuid.uuid4().hex}", int(self._wall_clock())
        reply = Reply(name, now, self.name, tokens, request.stops, ignored=len(request.messages) - 1)
        return _Task(thought, reply, request.with_usage)

    @contextlib.contextmanager
    def _place(self) -> Iterator[None]:
        """Raises ApiError where there is none."""
        with contextlib.ExitStack() as stack:
            try:
                stack.enter_context(self.gate.place())
            except Busy:
                message = "too many requests are under way; try again later"
                kind, code = "rate_limit_error", "rate_limit_exceeded"
                raise ApiError(message, status=429, kind=kind, code=code, retry_after=RETRY_AFTER) from None
            yield

    async def _work(self, task: _Task, on_rollout: Callable[[Thought], None] | None = None) -> None:
        """Wait for a turn, then think. Raises ApiError, of what nobody has expected too: its traceback is logged."""
        async with self.gate.turn():
            if self.closing.is_set():
                raise ApiError("the server is shutting down", status=503, kind="server_error")
            try:
                await self.system.think(
                    task.thought, seconds=self.limits.seconds, stop=self.closing, on_rollout=on_rollout
                )
            except Exception as error:
                log.exception("%s failed", task.reply.id)
                raise internal_error() from error
        found = task.thought.outcome()
        seconds, ending = task.thought.seconds or 0.0, task.thought.ending
        self._say(f"{task.reply.id}: {ending}, {found.rollouts} rollouts, {found.tokens} tokens, {seconds:.1f} s")

    async def _news(self, task: _Task, news: asyncio.Event, working: asyncio.Task[None]) -> str | None:
        """The next thing to send while the work goes on: how far it is, or a sign of life. None when it is done."""
        try:
            await asyncio.wait_for(news.wait(), SECONDS_OF_SILENCE)
        except TimeoutError:
            return KEEP_ALIVE
        news.clear()
        started = task.thought.started
        if working.done() or started is None:
            return None
        return event(task.reply.thinking(progress(task.thought, task.thought.outcome(), self._clock() - started)))


async def _ended(task: asyncio.Task[Any]) -> None:
    """What nobody waits for any more is given up."""
    task.cancel()
    await asyncio.wait([task])
