"""Policy, PPM and executor, open: what questions are thought about with. Any number of them share it."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from collections.abc import AsyncIterator, Callable

import jax
from jax.sharding import Mesh

from rstar_jax.errors import InputError
from rstar_jax.execution import ExecutorPool
from rstar_jax.inference.adapters import PolicyProposer, PPMScorer, squash_of
from rstar_jax.inference.config import EngineConfig
from rstar_jax.inference.engine import Engine, PolicyEngine, PPMEngine
from rstar_jax.models.config import Head
from rstar_jax.models.store import Description, describe, load_model
from rstar_jax.problems.problem import Problem
from rstar_jax.search.protocols import Path
from rstar_jax.thinking.models import Models
from rstar_jax.thinking.settings import Dtype, Settings
from rstar_jax.thinking.thought import Effort, QuestionTooLong, Thought, begin, grow
from rstar_jax.thinking.view import Say
from rstar_jax.trajectory.tags import STEP_ENDS
from rstar_jax.trajectory.tokenizer import Tokenizer, load_tokenizer

OVERLONG_VALUE = -1.0  # of a path that the PPM cannot read: as bad as a wrong answer


@dataclasses.dataclass(frozen=True)
class System:
    """Use `open_system`."""

    settings: Settings
    proposer: PolicyProposer
    scorer: PPMScorer
    executor: ExecutorPool

    @property
    def engines(self) -> tuple[Engine, Engine]:
        return self.proposer.engine, self.scorer.engine

    @property
    def failed(self) -> bool:
        """Whether an engine has failed for good."""
        return any(engine.failed for engine in self.engines)

    def prompt_tokens(self, problem: Problem) -> int:
        """Of the question in its frame. Raises QuestionTooLong."""
        tokens, longest = self.proposer.length(Path(problem)), self.proposer.max_context
        if tokens >= longest:
            raise QuestionTooLong(
                f"the question has {tokens} tokens with its frame; the context holds {longest}, its solution included"
            )
        return tokens

    def begin(self, problem: Problem, effort: Effort) -> Thought:
        """A thought that `think` goes on with. Raises QuestionTooLong."""
        self.prompt_tokens(problem)
        return begin(problem, self.settings.search, effort)

    async def think(
        self,
        thought: Thought,
        *,
        seconds: float | None = None,
        stop: asyncio.Event | None = None,
        on_rollout: Callable[[Thought], None] | None = None,
    ) -> Thought:
        """Grow the thought's trees (see `thought.grow`)."""
        proposer, limit = self.proposer, thought.effort.max_tokens
        if limit is not None:
            proposer = proposer.limited(self.prompt_tokens(thought.problem) + limit)
        return await grow(
            thought, proposer, self.executor, self.scorer, seconds=seconds, stop=stop, on_rollout=on_rollout
        )


@contextlib.asynccontextmanager
async def open_system(models: Models, mesh: Mesh, say: Say) -> AsyncIterator[System]:
    """The models load, their programs are compiled, the executor runs. say: is told how far that is.

    Raises InputError: a model is missing, of the wrong kind, knows no tags, or is too short for the context.
    """
    settings = models.settings
    policy = _described(models.policy, "lm", settings.engine, settings.dtype)
    ppm = _described(models.ppm, "value", settings.scoring, settings.dtype)
    tokenizer = load_tokenizer(policy.folder)
    if len(tokenizer.stop_ids) < len(STEP_ENDS):
        raise InputError(f"{models.policy} does not know the tags {', '.join(STEP_ENDS)}: it is no policy for search")
    say(f"{models.words}; loading them")
    with jax.set_mesh(mesh):
        engine, scoring = _policy_engine(policy, tokenizer, settings, mesh), _ppm_engine(ppm, settings, mesh)
        say("compiling, or reading what an earlier start has compiled")
        seconds = sum(sum(one.warm_up().values()) for one in (engine, scoring))
        say(f"policy: {engine.describe()}; PPM: {scoring.describe()}; ready to run after {seconds:.1f} s")
        async with engine, scoring, ExecutorPool(settings.executor) as executor:
            await executor.start()
            yield System(
                settings,
                PolicyProposer(engine, tokenizer, settings.sampling, settings.engine.max_length, settings.frame),
                PPMScorer(
                    scoring, load_tokenizer(ppm.folder), squash_of(ppm.settings), OVERLONG_VALUE, settings.frame
                ),
                executor,
            )


def _described(name: str, head: Head, sizes: EngineConfig, dtype: Dtype | None) -> Description:
    """What can be wrong with a model is found before anything loads."""
    found = describe(name, dtype=dtype, max_length=sizes.max_length)
    if found.head != head:
        raise InputError(
            f"{name} is a PPM, which writes nothing" if head == "lm" else f"{name} is no PPM: it has no value head"
        )
    if sizes.max_length > found.config.max_length:
        longest = found.config.max_length
        raise InputError(f"a context of {sizes.max_length} tokens: {name} was made for {longest} tokens")
    return found


def _policy_engine(found: Description, tokenizer: Tokenizer, settings: Settings, mesh: Mesh) -> PolicyEngine:
    sizes = settings.engine
    model, params = load_model(
        found.folder, mesh, dtype=settings.dtype, max_length=sizes.max_length, stacked=False
    )
    return PolicyEngine(model, params, sizes, tokenizer.stop_ids, mesh, tokenizer.decode)


def _ppm_engine(found: Description, settings: Settings, mesh: Mesh) -> PPMEngine:
    sizes = settings.scoring
    model, params = load_model(
        found.folder, mesh, dtype=settings.dtype, max_length=sizes.max_length, stacked=False
    )
    return PPMEngine(model, params, sizes, mesh)
