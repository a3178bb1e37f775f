"""The generated problems of the built-in example."""

import collections

import pytest

from rstar_jax.errors import InputError
from rstar_jax.problems.problem import LEVELS
from rstar_jax.problems.reasoning_gym import FAMILIES, SHARES, make_split
from rstar_jax.problems.splits import check_disjoint, normalised_question


def test_every_family_and_level_has_its_share():
    train, test = make_split(3, 2, seed=0)
    assert len(FAMILIES) >= 8
    for problems, each in ((train, 3), (test, 2)):
        counts = collections.Counter((problem.source, problem.level) for problem in problems)
        expected = {(family, level): each * SHARES.get(family, 1) for family in FAMILIES for level in LEVELS}
        assert counts == expected


def test_questions_are_distinct_over_train_and_test():
    train, test = make_split(12, 6, seed=1)
    questions = [normalised_question(problem.question) for problem in train + test]
    assert len(set(questions)) == len(questions)
    assert len({problem.id for problem in train + test}) == len(questions)


def test_the_check_would_notice_a_shared_question():
    train, test = make_split(1, 1, seed=0)
    with pytest.raises(InputError, match="among the training problems"):
        check_disjoint([*train, test[0]], test)


def test_problems_depend_on_the_seed_alone():
    assert make_split(2, 1, seed=3) == make_split(2, 1, seed=3)
    assert make_split(2, 1, seed=3) != make_split(2, 1, seed=4)


def test_more_problems_begin_with_the_same_ones():
    few, _ = make_split(2, 1, seed=5)
    many, _ = make_split(4, 1, seed=5)
    assert {problem.id for problem in few} <= {problem.id for problem in many}


def test_a_setting_with_too_few_questions_is_refused():
    with pytest.raises(ValueError, match="different questions"):
        make_split(3000, 1, seed=0)
