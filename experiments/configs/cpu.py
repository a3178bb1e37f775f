"""The built-in example: four rounds on generated problems with a model from scratch, on two CPU cores.

    python experiments/evolve.py --config cpu

Rounds, rollouts and escalation are the paper's; candidates per step are fewer (5, 4, 4, 5 instead of 5, 8, 8, 16). A
round has about a thousand preference pairs here, so the PPM learns those of all rounds so far. The sampling
temperature, which the paper does not give, is 0.8: a model this small spreads much of its mass over digits.
"""

import dataclasses

from rstar_jax.evolution.base_model import BaseConfig
from rstar_jax.evolution.config import EvaluationPlan, EvolutionConfig, ProblemsConfig
from rstar_jax.evolution.rounds import Round
from rstar_jax.execution import ExecutorConfig
from rstar_jax.inference.config import EngineConfig, Sampling
from rstar_jax.models.config import ModelConfig
from rstar_jax.reproduction import plans
from rstar_jax.reproduction.plan import HELD_OUT, Column, Other, StudyPlan
from rstar_jax.reproduction.published import QWEN_1_5B
from rstar_jax.search import presets
from rstar_jax.training.optimizer import TrainConfig
from rstar_jax.training.ppm import PpmLoss

CONTEXT = 384


def config(seed: int = 0) -> EvolutionConfig:
    bootstrap, sample = presets.default("bootstrap"), presets.default("sample")
    training = TrainConfig(
        epochs=8,
        batch_size=12,
        row_length=256,
        learning_rate=3e-3,
        schedule="cosine",
        warmup=0.05,
        weight_decay=0.05,
        b2=0.98,
        remat="full",
        loss_chunk=256,
        checkpoint_every=100,
        log_every=10,
    )
    return EvolutionConfig(
        name="cpu",
        seed=seed,
        problems=ProblemsConfig(train_per_level=24, test_per_level=4),
        model=ModelConfig(
            vocab_size=1,  # the tokenizer's, which the run trains
            d_model=64,
            n_layers=3,
            n_heads=4,
            n_kv_heads=4,
            head_dim=16,
            d_ff=192,
            init="mimetic",
            max_length=CONTEXT,
        ),
        base=BaseConfig(
            documents=40_000,
            vocab_size=640,
            # Muon learns to read in fewer steps than AdamW: compare base/metrics.jsonl of two runs.
            train=dataclasses.replace(
                training, epochs=1, optimizer="muon", batch_size=11, row_length=128, learning_rate=5e-3, seed=seed
            ),
        ),
        rounds=(
            Round(1, "bootstrap", dataclasses.replace(bootstrap, rollouts=8, candidates=5)),
            Round(2, "policy", dataclasses.replace(bootstrap, rollouts=16, candidates=4, answer_candidates=2)),
            Round(3, "policy", dataclasses.replace(sample, rollouts=16, candidates=4, answer_candidates=2)),
            Round(
                4,
                "policy",
                dataclasses.replace(sample, rollouts=16, candidates=5, answer_candidates=2),
                trees=2,
                escalation=(80, 128),
            ),
        ),
        sampling=Sampling(temperature=0.8, max_tokens=64),
        policy_training=training,
        ppm_training=dataclasses.replace(training, epochs=4, batch_size=16, learning_rate=1e-3),
        pairs_from="all",
        ppm_loss=PpmLoss(squash="raw"),
        evaluation=EvaluationPlan(
            search=dataclasses.replace(presets.default("eval"), rollouts=8, candidates=8, answer_candidates=2)
        ),
        engine=EngineConfig(max_length=CONTEXT, memory_fraction=0.02),
        scoring=EngineConfig(max_length=CONTEXT, memory_fraction=0.02),
        # Steps are light here, and keeping their states gains nothing (experiments/benchmarks/executor.py, replay).
        executor=ExecutorConfig(cpu_seconds=1, wall_seconds=4.0, memory_mb=512, snapshots=0),
    )


def study() -> StudyPlan:
    """The paper's tables in small: problems by level, 4 and 8 trajectories for its 8 and 64, a smaller base model."""
    search = config().evaluation.search
    return StudyPlan(
        columns=(
            Column("GSM-level", HELD_OUT, "GSM-level", paper="GSM8K"),
            Column("MATH-level", HELD_OUT, "MATH-level", paper="MATH"),
            Column("Olympiad-level", HELD_OUT, "Olympiad-level", paper="Olympiad"),
            Column("All", HELD_OUT),
        ),
        search=search,
        methods=plans.methods(width=4, candidates=8),
        variants=plans.variants(search, (0.5, 1.0, 4.0), (4,), (2, 4, 16), (2, 4, 16)),
        title="0.2M model",
        others=(Other("cpu_small", QWEN_1_5B, "0.1M model"),),
        trajectories=4,
        most=8,
        counts=(1, 2, 4, 8),
        samples=64,  # as many as the tokens of four searches buy, nearly always; of eight searches, twice as many
        most_samples=128,
        rejection_samples=8,
        is_analogue=True,
    )
