"""Everything a run of self-evolution depends on, as one value."""

from __future__ import annotations

import dataclasses
from typing import Literal

from rstar_jax.datasets.select import PAPER_PAIRS, PAPER_SFT, PairRule, SftRule
from rstar_jax.errors import InputError
from rstar_jax.evolution.base_model import BaseConfig, PublishedBase
from rstar_jax.evolution.bootstrap.openai_server import OpenAIConfig
from rstar_jax.evolution.bootstrap.scripted import ScriptedConfig
from rstar_jax.evolution.rounds import Round, paper_rounds
from rstar_jax.execution import ExecutorConfig
from rstar_jax.inference.config import EngineConfig, Sampling
from rstar_jax.models.config import ModelConfig
from rstar_jax.search import presets
from rstar_jax.search.config import SearchConfig
from rstar_jax.search.shards import SHARD_PROBLEMS
from rstar_jax.training.optimizer import PAPER_POLICY, PAPER_PPM, TrainConfig
from rstar_jax.training.ppm import PAPER_LOSS, ZERO_HEAD, PpmHead, PpmLoss
from rstar_jax.trajectory.prompts import PLAIN_FRAME, PromptFrame


@dataclasses.dataclass(frozen=True)
class ProblemsConfig:
    """Where problems come from: two files, or (without them) the generators of the built-in example.

    train_per_level, test_per_level: generated problems of each family and level.
    """

    train_file: str | None = None
    test_file: str | None = None
    train_per_level: int = 30
    test_per_level: int = 5


@dataclasses.dataclass(frozen=True)
class EvaluationPlan:
    """How models are compared after each round.

    search: System 2. n_trajectories: answers of it that count. samples: also draw samples at equal tokens, in the
    last round, for majority voting. fixed_policy: the round whose policy every PPM guides (Table 4).
    """

    search: SearchConfig = dataclasses.field(default_factory=lambda: presets.default("eval"))
    n_trajectories: int = 8
    samples: bool = True
    fixed_policy: int = 1
    counts: tuple[int, ...] = (1, 2, 4, 8)


@dataclasses.dataclass(frozen=True)
class EvolutionConfig:
    """A run. Everything random is a function of `seed`.

    model: of a base that the run trains; a published one brings its own. grader: of answers in the training trees.
    frame: of prompts in search. pairs_from: the preference pairs that a round's PPM learns: those of this round
    (section 3.4.2), or of all rounds so far, where a round has too few of them to learn from. output_in_loss: whether
    the policy learns what programs printed too. serve_in: dtype of weights in engines; by default as they are stored,
    that is, as they were trained. ppm_held_out: share of the problems (0 to 1) whose pairs no PPM learns; how it orders
    them is in its metrics.jsonl after each epoch. concurrency: problems that a process searches at a time.
    shard_problems: problems of a shard, which is what a host takes at a time and a file of trees; nothing else depends
    on it.
    """

    name: str
    model: ModelConfig | None = None
    seed: int = 0
    problems: ProblemsConfig = ProblemsConfig()
    bootstrap: ScriptedConfig | OpenAIConfig = ScriptedConfig()
    base: BaseConfig | PublishedBase = BaseConfig()
    rounds: tuple[Round, ...] = dataclasses.field(default_factory=paper_rounds)
    grader: Literal["strict", "released"] = "strict"
    frame: PromptFrame = PLAIN_FRAME
    sampling: Sampling = Sampling()
    sft_rule: SftRule = PAPER_SFT
    pair_rule: PairRule = PAPER_PAIRS
    pairs_from: Literal["round", "all"] = "round"
    output_in_loss: bool = False
    policy_training: TrainConfig = PAPER_POLICY
    ppm_training: TrainConfig = PAPER_PPM
    ppm_loss: PpmLoss = PAPER_LOSS
    ppm_head: PpmHead = ZERO_HEAD
    ppm_held_out: float = 0.0
    evaluation: EvaluationPlan = EvaluationPlan()
    engine: EngineConfig = EngineConfig()  # of the policy
    scoring: EngineConfig = EngineConfig()  # of the PPM
    serve_in: Literal["float32", "bfloat16"] | None = None
    executor: ExecutorConfig = ExecutorConfig()
    concurrency: int = 64
    shard_problems: int = SHARD_PROBLEMS

    def __post_init__(self) -> None:
        if (self.model is None) != isinstance(self.base, PublishedBase):
            raise ValueError("a base that is trained needs a model, and a published one brings its own")
        searches = [round.search for round in self.rounds] + [self.evaluation.search]
        if any(search.merge_states for search in searches) and not self.executor.states:
            raise ValueError("merge_states needs an executor that names states: set ExecutorConfig.states")

    def round(self, number: int) -> Round:
        """The round of a number. Raises InputError: there is none."""
        found = {round.number: round for round in self.rounds}
        if number not in found:
            raise InputError(f"{self.name} has rounds {', '.join(map(str, found))}, no round {number}")
        return found[number]

    def pair_rounds(self, number: int) -> range:
        """The rounds whose pairs the PPM of round `number` learns."""
        return range(number if self.pairs_from == "round" else 1, number + 1)
