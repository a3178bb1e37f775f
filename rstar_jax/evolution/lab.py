"""The people and machines of a run: problems, executor, graders, engines; made when first needed.

Engines are made once and get new weights for every model, so that nothing is compiled twice.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import pathlib
from collections.abc import AsyncIterator
from typing import TypeVar

import jax
from jax.sharding import Mesh

from rstar_jax.evaluation.methods import Graders
from rstar_jax.evolution.bootstrap.openai_server import OpenAIConfig, OpenAIProposer
from rstar_jax.evolution.bootstrap.scripted import ScriptedProposer
from rstar_jax.evolution.config import EvolutionConfig
from rstar_jax.evolution.problem_set import load_problems
from rstar_jax.evolution.run_dir import RunDir
from rstar_jax.execution import ExecutorPool
from rstar_jax.files import write_json
from rstar_jax.grading import GraderPool
from rstar_jax.inference.adapters import PolicyProposer, PPMScorer, squash_of
from rstar_jax.inference.config import Metrics, Sampling
from rstar_jax.inference.engine import Engine, PolicyEngine, PPMEngine
from rstar_jax.inference.meter import Meter
from rstar_jax.models.config import ModelConfig
from rstar_jax.models.decoder import Params
from rstar_jax.models.store import describe, load_model
from rstar_jax.problems.problem import Problem
from rstar_jax.search.progress import say
from rstar_jax.search.protocols import Proposer
from rstar_jax.search.runner import WHOLE, Share
from rstar_jax.trajectory.tokenizer import Tokenizer, load_tokenizer

EngineT = TypeVar("EngineT", bound=Engine)
OVERLONG_VALUE = -1.0  # of a path that the PPM cannot read: as bad as a wrong answer


@dataclasses.dataclass
class Lab:
    """Shared by all stages of a run; use `open_lab`.

    share: of problems that this process searches and evaluates, where several do so side by side.
    """

    config: EvolutionConfig
    run: RunDir
    mesh: Mesh
    executor: ExecutorPool
    graders: Graders
    share: Share = WHOLE
    _metrics: dict[str, Metrics] = dataclasses.field(default_factory=dict)
    _scoring: tuple[ModelConfig, PPMEngine] | None = None

    @functools.cached_property
    def problems(self) -> tuple[list[Problem], list[Problem]]:
        """Train and test problems."""
        return load_problems(self.run, self.config.problems, self.config.seed)

    @functools.cached_property
    def tokenizer(self) -> Tokenizer:
        return load_tokenizer(self.run.base)

    @property
    def model_config(self) -> ModelConfig:
        """The architecture, with as many tokens as the tokenizer has. A published base has to be there."""
        if self.config.model is None:
            return describe(self.run.base).config
        return dataclasses.replace(self.config.model, vocab_size=self.tokenizer.vocab_size, vocab_multiple=64)

    @contextlib.asynccontextmanager
    async def bootstrap(self) -> AsyncIterator[Proposer]:
        """The proposer of round 1."""
        settings = self.config.bootstrap
        if isinstance(settings, OpenAIConfig):
            async with OpenAIProposer(settings) as proposer:
                await proposer.check()
                yield proposer
        else:
            yield ScriptedProposer(settings)

    @contextlib.asynccontextmanager
    async def policy(self, folder: pathlib.Path) -> AsyncIterator[tuple[PolicyProposer, PolicyProposer]]:
        """A policy of this run, or its base model, greedy and sampling."""
        engine = self._engine
        engine.load(self._load(folder)[1])
        greedy = dataclasses.replace(self.config.sampling, temperature=0.0)
        async with engine:
            yield self._proposer(engine, greedy), self._proposer(engine, self.config.sampling)

    def _proposer(self, engine: PolicyEngine, sampling: Sampling) -> PolicyProposer:
        return PolicyProposer(engine, self.tokenizer, sampling, self.config.engine.max_length, self.config.frame)

    @contextlib.asynccontextmanager
    async def scorer(self, folder: pathlib.Path) -> AsyncIterator[PPMScorer]:
        """A model with a scalar head; its settings say how its scores are read. It has a tokenizer of its own."""
        model, params = self._load(folder)
        if self._scoring is None or self._scoring[0] != model:
            engine = self._warmed("ppm", PPMEngine(model, params, self.config.scoring, self.mesh))
            self._scoring = model, engine
        engine, squash = self._scoring[1], squash_of(describe(folder).settings)
        engine.load(params)
        async with engine:
            yield PPMScorer(
                engine, load_tokenizer(folder), squash, overlong=OVERLONG_VALUE, frame=self.config.frame
            )

    @functools.cached_property
    def _engine(self) -> PolicyEngine:
        model, params = self._load(self.run.base)
        stops, decode = self.tokenizer.stop_ids, self.tokenizer.decode
        return self._warmed("policy", PolicyEngine(model, params, self.config.engine, stops, self.mesh, decode))

    def _load(self, folder: pathlib.Path) -> tuple[ModelConfig, Params]:
        """A model as engines serve it."""
        return load_model(folder, self.mesh, dtype=self.config.serve_in)

    def _warmed(self, name: str, engine: EngineT) -> EngineT:
        self._metrics[name] = engine.metrics
        seconds = sum(engine.warm_up().values())
        say(f"{name} engine: {engine.describe()}, {engine.compilations} programs in {seconds:.1f} s")
        return engine

    def meter(self) -> Meter:
        """Of the engines that there are."""
        return Meter(self._metrics)

    def note(self, round_number: int, stage: str, **figures: object) -> None:
        """Leave a stage's figures in the run directory."""
        name = stage if self.share == WHOLE else f"{stage}-{self.share}"
        write_json(self.run.round(round_number) / "metrics" / f"{name}.json", figures)


@contextlib.asynccontextmanager
async def open_lab(
    config: EvolutionConfig, run: RunDir, mesh: Mesh, share: Share = WHOLE
) -> AsyncIterator[Lab]:
    """Executor and graders run, the mesh is set."""
    with jax.set_mesh(mesh), GraderPool(semantics="strict") as strict, GraderPool(semantics="released") as released:
        async with ExecutorPool(config.executor) as executor:
            yield Lab(config, run, mesh, executor, Graders(strict, released), share)
