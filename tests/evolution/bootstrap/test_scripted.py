"""The scripted stand-in for a large model: what it knows, how it errs, and that it never sees an answer."""

import asyncio
import dataclasses

import pytest

from rstar_jax.evolution.bootstrap.methods import FAMILY_METHOD
from rstar_jax.evolution.bootstrap.scripted import ScriptedConfig, ScriptedProposer
from rstar_jax.execution import ExecutorConfig, ExecutorPool
from rstar_jax.grading import GraderPool
from rstar_jax.problems.reasoning_gym import FAMILIES, make_split
from rstar_jax.search.protocols import Path
from rstar_jax.search.sampling import sample_trajectory

FAULTLESS = ScriptedConfig(
    known=tuple(FAMILY_METHOD), wrong_method=0, guess=0, misread=0, code_error=0, misquote=0
)


def solve(problems, config, samples=1):
    """Share of the problems that one of so many samples solves, by family."""

    async def run():
        proposer, solved = ScriptedProposer(config), {}
        async with ExecutorPool(ExecutorConfig()) as executor:
            with GraderPool() as grader:
                for problem in problems:
                    for key in range(samples):
                        sample = await sample_trajectory(problem, proposer, executor, key)
                        right = await grader.grade(sample.answer, problem.answer)
                        solved.setdefault(problem.source, {}).setdefault(problem.id, False)
                        solved[problem.source][problem.id] |= right
        return {family: sum(found.values()) / len(found) for family, found in solved.items()}

    return asyncio.run(run())


def propose(problem, config, key, steps=()):
    proposer = ScriptedProposer(config)
    return [p.text for p in asyncio.run(proposer.propose(Path(problem, steps), 4, key))]


def test_without_faults_it_solves_every_family_that_it_knows():
    problems = [p for p in make_split(2, 1, seed=7)[0] if p.source in FAMILY_METHOD]
    assert set(solve(problems, FAULTLESS).values()) == {1.0}


def test_it_fails_in_families_that_it_does_not_know():
    problems = [p for p in make_split(4, 1, seed=7)[0] if p.source not in ScriptedConfig().known]
    shares = solve(problems, ScriptedConfig())
    assert sum(shares.values()) / len(shares) < 0.3


def test_proposals_do_not_depend_on_the_answer_or_the_other_candidates():
    for problem in make_split(1, 1, seed=2)[0]:
        lie = dataclasses.replace(problem, answer="no answer at all")
        assert propose(problem, ScriptedConfig(), 11) == propose(lie, ScriptedConfig(), 11)
        fewer = asyncio.run(ScriptedProposer().propose(Path(problem), 2, 11))
        assert [p.text for p in fewer] == propose(problem, ScriptedConfig(), 11)[:2]


@pytest.mark.parametrize("fault", ["misread", "code_error", "wrong_method", "misquote"])
def test_each_fault_costs_answers(fault):
    problems = [p for p in make_split(3, 1, seed=5)[0] if p.source in ("gcd", "chain_sum")]
    shares = solve(problems, dataclasses.replace(FAULTLESS, **{fault: 0.9}))
    assert sum(shares.values()) / len(shares) < 0.7


def test_an_unknown_family_is_refused():
    with pytest.raises(ValueError, match="time_travel"):
        ScriptedProposer(ScriptedConfig(known=("time_travel",)))


def test_the_known_families_exist():
    assert set(ScriptedConfig().known) <= set(FAMILY_METHOD) <= set(FAMILIES)
