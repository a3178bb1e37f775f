"""The corpus of the base model: quotations of random numbers, and nothing that a round should teach."""

import re

from rstar_jax.evolution.base_model import corpus
from rstar_jax.problems.reasoning_gym import make_split
from rstar_jax.trajectory.tags import ALL_TAGS

QUESTIONS = [problem.question for problem in make_split(3, 1, seed=0)[0]]


def test_it_depends_on_its_arguments_alone():
    assert corpus(QUESTIONS, 20, seed=1) == corpus(QUESTIONS, 20, seed=1)
    assert corpus(QUESTIONS, 20, seed=1) != corpus(QUESTIONS, 20, seed=2)


def test_quotations_hold_only_what_their_sentence_says():
    for sentence, quotation in corpus(QUESTIONS, 200, seed=0):
        span, numbers = quotation.strip().rsplit("\n", 1)
        assert span in sentence
        assert set(re.findall(r"\d+", numbers)) <= set(re.findall(r"\d+", sentence))


def test_it_shows_neither_the_format_nor_any_code():
    text = "".join(sentence + quotation for sentence, quotation in corpus(QUESTIONS, 300, seed=0))
    assert not any(tag in text for tag in ALL_TAGS)
    assert not re.search(r"import|print|boxed|#", text)
