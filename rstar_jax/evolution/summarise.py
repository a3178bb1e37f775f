"""A finished run as one `RunSummary`: read from the files of the rounds."""

from __future__ import annotations

from collections.abc import Iterable

from rstar_jax.evaluation.aggregate import EvaluationResult, scaling, system1, system2
from rstar_jax.evaluation.summary import Coverage, RoundSummary, RunSummary, ScalingCurve
from rstar_jax.evolution.lab import Lab
from rstar_jax.evolution.rounds import Round
from rstar_jax.evolution.stages import evaluate_models
from rstar_jax.problems.problem import LEVELS
from rstar_jax.search import runner
from rstar_jax.search.store import iterate_trees
from rstar_jax.search.trajectories import n_correct
from rstar_jax.search.tree import Tree


def coverage(trees: Iterable[Tree]) -> dict[str, Coverage]:
    """Solved training problems by level (Table 2): a problem is solved if any of its trees solved it."""
    solved: dict[str, bool] = {}
    level: dict[str, str] = {}
    for tree in trees:
        name = tree.problem.id
        level[name] = tree.problem.level
        solved[name] = solved.get(name, False) or n_correct(tree) > 0
    return {
        wanted: Coverage(
            sum(solved[name] for name in solved if level[name] == wanted),
            sum(found == wanted for found in level.values()),
        )
        for wanted in LEVELS
        if wanted in level.values()
    }


async def summarise_round(lab: Lab, round: Round) -> RoundSummary:
    """Evaluate what the round made and put it beside its coverage."""
    number, plan = round.number, lab.config.evaluation
    last = number == lab.config.rounds[-1].number
    methods = ("greedy", "search", "sample") if last and plan.samples else ("greedy", "search")
    own = await evaluate_models(lab, number, number, number, methods)
    fixed = own if number == plan.fixed_policy else await evaluate_models(
        lab, number, plan.fixed_policy, number, ("search", "sample") if last and plan.samples else ("search",)
    )
    return RoundSummary(
        round=number,
        models=round.searchers,
        coverage=coverage(iterate_trees(lab.run.trees(number) / runner.TREES)),
        system1=system1(own),
        system2=system2(own, plan.n_trajectories),
        ppm_fixed_policy=system2(fixed, plan.n_trajectories),
        scaling=_curves(own, plan.counts) if last and plan.samples else (),
    )


def _curves(result: EvaluationResult, counts: tuple[int, ...]) -> tuple[ScalingCurve, ...]:
    return tuple(scaling(result, counts))


async def summarise(lab: Lab, rounds: Iterable[RoundSummary]) -> RunSummary:
    base = await evaluate_models(lab, 0, 0, None, ("greedy",))
    test = lab.problems[1]
    return RunSummary(
        name=lab.config.name,
        seed=lab.config.seed,
        benchmark="held-out problems of the built-in example"
        if lab.config.problems.test_file is None
        else str(lab.config.problems.test_file),
        problem_ids=tuple(problem.id for problem in test),
        levels=tuple(problem.level for problem in test),
        rounds=tuple(rounds),
        references={"base": system1(base)},
        fixed_policy=f"SLM-r{lab.config.evaluation.fixed_policy}",
    )
