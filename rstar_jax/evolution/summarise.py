"""A finished run as one `RunSummary`: read from the files of the rounds."""

from __future__ import annotations

from rstar_jax.errors import InputError
from rstar_jax.evaluation.aggregate import EvaluationResult, scaling, system1, system2
from rstar_jax.evaluation.summary import Coverage, RoundSummary, RunSummary
from rstar_jax.evolution.evaluations import BASE, Evaluation, own, result_of, with_fixed_policy
from rstar_jax.evolution.lab import Lab
from rstar_jax.evolution.rounds import Round
from rstar_jax.problems.problem import LEVELS
from rstar_jax.search.shards import summary_of
from rstar_jax.search.store import Summary


def coverage(found: Summary) -> dict[str, Coverage]:
    """Solved training problems by level (Table 2): a problem is solved if any of its trees solved it."""
    levels = {level: found.levels[level] for level in LEVELS if level in found.levels}
    return {level: Coverage(solved, problems) for level, (problems, solved) in levels.items()}


def summarise_round(lab: Lab, round: Round) -> RoundSummary:
    """How its models did, beside its coverage. Raises InputError: an evaluation is not finished."""
    number, plan = round.number, lab.config.evaluation
    mine, fixed = finished(lab, own(lab.config, number)), finished(lab, with_fixed_policy(lab.config, number))
    last = number == lab.config.rounds[-1].number
    return RoundSummary(
        round=number,
        models=round.searchers,
        coverage=coverage(summary_of(lab.run.trees(number))),
        system1=system1(mine),
        system2=system2(mine, plan.n_trajectories),
        ppm_fixed_policy=system2(fixed, plan.n_trajectories),
        scaling=tuple(scaling(fixed, plan.counts)) if last and plan.samples else (),
    )


def finished(lab: Lab, evaluation: Evaluation) -> EvaluationResult:
    found = result_of(lab, evaluation)
    if found is None:
        raise InputError(f"{evaluation.folder(lab.run)}: not every problem is evaluated")
    return found


def summarise(lab: Lab) -> RunSummary:
    """Raises InputError: an evaluation is not finished."""
    test = lab.problems[1]
    return RunSummary(
        name=lab.config.name,
        seed=lab.config.seed,
        benchmark="held-out problems of the built-in example"
        if lab.config.problems.test_file is None
        else str(lab.config.problems.test_file),
        problem_ids=tuple(problem.id for problem in test),
        levels=tuple(problem.level for problem in test),
        rounds=tuple(summarise_round(lab, round) for round in lab.config.rounds),
        references={"base": system1(finished(lab, own(lab.config, BASE)))},
        fixed_policy=f"SLM-r{lab.config.evaluation.fixed_policy}",
    )
