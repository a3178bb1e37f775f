"""Single trajectories."""

from __future__ import annotations

import asyncio
from types import ModuleType

import pytest

from rstar_jax.search.sampling import Sample, sample_trajectory

STEP = "<code>\nx = 1\n<end_of_step>"
FAILING = "<code>\nfail()\n<end_of_step>"
CODE = "\nprint(x)\n<end_of_code>"
SHOWN = CODE + "\n<output>1<end_of_output>"
ANSWER = "\n<answer>\\boxed{1}<end_of_answer>"


def sample(fakes: ModuleType, script: dict[str, list[str]], **settings: object) -> Sample:
    proposer = fakes.ScriptedProposer(script)
    return asyncio.run(sample_trajectory(fakes.PROBLEM, proposer, fakes.FakeExecutor(), key=1, **settings))


def test_answer(fakes: ModuleType):
    found = sample(fakes, {"": [STEP], STEP: [CODE], STEP + SHOWN: [ANSWER]})
    assert (found.outcome, found.answer, found.n_tokens, found.logprob) == ("answer", "1", 30, -3.0)
    assert found.path.steps == (STEP, SHOWN, ANSWER)


def test_error_ends_at_once_or_after_several(fakes: ModuleType):
    found = sample(fakes, {"": [FAILING]})
    assert (found.outcome, found.answer) == ("error", "")
    assert found.text.startswith(FAILING + "<end_of_code>\n<output>NameError")
    found = sample(fakes, {"": [FAILING], FAILING: [CODE]}, errors_threshold=2)
    assert (found.outcome, len(found.path.steps)) == ("error", 2)


def test_length_limits(fakes: ModuleType):
    assert sample(fakes, {"": [STEP + "…"]}).outcome == "overlong"
    assert sample(fakes, {"": [STEP]}, max_steps=1).outcome == "too_many_steps"


def test_an_answer_that_was_cut_after_its_box_counts(fakes: ModuleType):
    found = sample(fakes, {"": ["<answer>\\boxed{1}. This is…"]})
    assert (found.outcome, found.answer) == ("answer", "1")


def test_an_answer_block_without_an_answer(fakes: ModuleType):
    found = sample(fakes, {"": ["<answer>Who knows?<end_of_answer>"]})
    assert (found.outcome, found.answer) == ("answer", "")


@pytest.mark.parametrize("key", [1, 2])
def test_each_step_has_a_key_of_its_own(fakes: ModuleType, key: int):
    proposer = fakes.ScriptedProposer({"": [STEP], STEP: [CODE], STEP + SHOWN: [ANSWER]})
    asyncio.run(sample_trajectory(fakes.PROBLEM, proposer, fakes.FakeExecutor(), key=key))
    assert len({call[2] for call in proposer.calls}) == 3
    assert all(call[1] == 1 for call in proposer.calls)
