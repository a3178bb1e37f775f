"""The scripted stand-in for a large model: what it knows, how it errs, and that it never sees an answer."""

import asyncio
import collections
import dataclasses
import itertools
import re

import pytest

from rstar_jax.evolution.bootstrap.methods import FAMILY_METHODS
from rstar_jax.evolution.bootstrap.scripted import ScriptedConfig, ScriptedProposer
from rstar_jax.execution import ExecutorConfig, ExecutorPool
from rstar_jax.grading import GraderPool
from rstar_jax.problems.reasoning_gym import FAMILIES, make_split
from rstar_jax.search.protocols import Path
from rstar_jax.search.sampling import sample_trajectory

FAULTLESS = ScriptedConfig(
    known=tuple(FAMILY_METHODS), wrong_method=0, guess=0, misread=0, code_error=0, misquote=0
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
    problems = [p for p in make_split(2, 1, seed=7)[0] if len(FAMILY_METHODS[p.source]) == 1]
    assert set(solve(problems, FAULTLESS).values()) == {1.0}


def test_the_rule_of_a_sequence_has_to_be_found_by_trying():
    problems = [p for p in make_split(2, 1, seed=7)[0] if p.source == "number_sequence"]
    once, often = (solve(problems, FAULTLESS, samples)["number_sequence"] for samples in (1, 12))
    assert once < 0.6 < 0.8 < often


@pytest.mark.parametrize("family", ["chain_sum", "lcm", "simple_equations"])
def test_the_check_tells_a_misread_question_from_a_well_read_one(family):
    config = dataclasses.replace(FAULTLESS, misread=0.15, check=1)
    problems = [p for p in make_split(6, 1, seed=3)[0] if p.source == family]
    verdicts = collections.Counter(asyncio.run(checked(problems, config)))
    assert verdicts[True, "True"] > verdicts[False, "True"]
    assert verdicts[False, "False"] > 0
    assert not verdicts[False, "no check"] + verdicts[True, "no check"]


async def checked(problems, config):
    """(right?, what the check said) of four samples each that came to an answer."""
    found = []
    async with ExecutorPool(ExecutorConfig()) as executor:
        with GraderPool() as grader:
            for problem, key in itertools.product(problems, range(4)):
                sample = await sample_trajectory(problem, ScriptedProposer(config), executor, key)
                if sample.outcome == "answer":
                    said = re.search(r"(True|False)<end_of_output>", sample.text)
                    right = await grader.grade(sample.answer, problem.answer)
                    found.append((right, said.group(1) if said else "no check"))
    return found


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
    assert set(ScriptedConfig().known) <= set(FAMILY_METHODS) <= set(FAMILIES)
