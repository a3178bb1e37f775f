"""The built-in example in miniature, for tests of the driver: every stage runs, nothing is learned."""

import dataclasses
import importlib.util
import pathlib

CPU = pathlib.Path(__file__).parents[2] / "experiments" / "configs" / "cpu.py"


def config(seed: int = 0):
    spec = importlib.util.spec_from_file_location("cpu", CPU)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    full = module.config(seed)
    short = {"epochs": 1, "row_length": 192, "checkpoint_every": 5}

    def smaller(round):
        search = dataclasses.replace(round.search, rollouts=4, candidates=3)
        # A policy that has learned nothing solves nothing, and then there is nothing to train on.
        escalation = (6, 7) if round.escalation else ()
        return dataclasses.replace(round, search=search, escalation=escalation, proposer="bootstrap")

    return dataclasses.replace(
        full,
        problems=dataclasses.replace(full.problems, train_per_level=2, test_per_level=1),
        model=dataclasses.replace(full.model, d_model=32, n_layers=2, n_heads=2, n_kv_heads=2, d_ff=64),
        base=dataclasses.replace(
            full.base, documents=300, train=dataclasses.replace(full.base.train, **short)
        ),
        rounds=tuple(map(smaller, full.rounds)),
        sampling=dataclasses.replace(full.sampling, max_tokens=24),
        policy_training=dataclasses.replace(full.policy_training, **short),
        ppm_training=dataclasses.replace(full.ppm_training, **short),
        evaluation=dataclasses.replace(
            full.evaluation,
            search=dataclasses.replace(full.evaluation.search, rollouts=2, candidates=2),
            n_trajectories=2,
            counts=(1, 2),
        ),
        engine=dataclasses.replace(full.engine, tokens=(128,), rows=(32,), pages=400),
        scoring=dataclasses.replace(full.scoring, tokens=(128,), pages=400),
    )
