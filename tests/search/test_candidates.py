"""Which proposals are kept, merged or refused."""

from __future__ import annotations

from rstar_jax.search import presets
from rstar_jax.search.candidates import keep
from rstar_jax.search.config import SearchConfig
from rstar_jax.search.protocols import Proposal

STEP = Proposal("x = 1\n<end_of_step>")
CODE = Proposal("x = 1\n<end_of_code>")
ANSWER = Proposal("<answer>\\boxed{1}<end_of_answer>")
OTHER_ANSWER = Proposal("<answer>\\boxed{2}<end_of_answer>")
CUT = Proposal("x = 1\n", "length")
EMPTY = Proposal("\n<end_of_step>")
RELEASED = presets.released("sample")


def texts(proposals: list[Proposal], config: SearchConfig) -> list[tuple[str, int]]:
    return [(one.text, one.count) for one in keep(proposals, config)[0]]


def reasons(proposals: list[Proposal], config: SearchConfig) -> list[str]:
    return [reason for _, reason in keep(proposals, config)[1]]


def test_equal_candidates_are_merged_and_counted():
    drawn = [STEP, CODE, STEP, STEP]
    assert texts(drawn, SearchConfig()) == [(STEP.text, 3), (CODE.text, 1)]
    assert reasons(drawn, SearchConfig()) == ["duplicate", "duplicate"]


def test_released_comparison_ignores_the_closing_tag():
    assert texts([STEP, CODE, CUT], RELEASED) == [(STEP.text, 3)]


def test_released_keeps_only_the_first_finished_answer():
    drawn = [STEP, ANSWER, OTHER_ANSWER, ANSWER]
    assert texts(drawn, RELEASED) == [(ANSWER.text, 2)]
    assert sorted(reasons(drawn, RELEASED)) == ["beside_answer", "beside_answer", "duplicate"]


def test_released_answer_without_its_closing_tag_drops_nothing():
    cut = Proposal("<answer>\\boxed{1}", "length")
    assert len(texts([STEP, cut], RELEASED)) == 2


def test_all_distinct_answers_are_kept():
    assert texts([ANSWER, OTHER_ANSWER, ANSWER, STEP], SearchConfig()) == [
        (ANSWER.text, 2),
        (OTHER_ANSWER.text, 1),
        (STEP.text, 1),
    ]


def test_incomplete_generations():
    drawn = [CUT, EMPTY, STEP]
    kept, _ = keep(drawn, SearchConfig(incomplete="leaf"))
    assert [(one.text, one.cut) for one in kept] == [(CUT.text, True), (STEP.text, False)]
    assert reasons(drawn, SearchConfig(incomplete="leaf")) == ["empty"]
    assert reasons(drawn, SearchConfig(incomplete="drop")) == ["cut", "empty"]
    assert [one.cut for one in keep([CUT, EMPTY], SearchConfig(incomplete="keep"))[0]] == [False, False]
