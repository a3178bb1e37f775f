"""The corpus of the base model: quotations of random numbers, and nothing that a round should teach."""

import re

from rstar_jax.evolution.base_model import corpus
from rstar_jax.problems.reasoning_gym import make_split
from rstar_jax.trajectory.tags import ALL_TAGS

QUESTIONS = [problem.question for problem in make_split(3, 1, seed=0)[0]]


def numbers(text):
    return set(re.findall(r"\d+", text))


def test_it_depends_on_its_arguments_alone():
    assert corpus(QUESTIONS, 20, seed=1) == corpus(QUESTIONS, 20, seed=1)
    assert corpus(QUESTIONS, 20, seed=1) != corpus(QUESTIONS, 20, seed=2)


def test_quotations_hold_only_what_their_sentence_says():
    for context, quotations in corpus(QUESTIONS, 200, seed=0):
        for quotation in quotations.strip().split("\n"):
            assert quotation.startswith("[") or quotation in context
            assert numbers(quotation) <= numbers(context)


def test_half_of_the_documents_quote_again_after_a_flawed_quotation():
    documents = corpus(QUESTIONS, 400, seed=0)
    again = [(*context.rsplit("\n", 1), second) for context, second in documents if second.count("\n") == 1]
    assert 0.4 < len(again) / len(documents) < 0.6
    assert all(numbers(second) <= numbers(sentence) for sentence, _, second in again)
    misleading = [first for _, first, second in again if not numbers(first) <= numbers(second)]
    assert len(misleading) > len(again) / 2


def test_it_shows_neither_the_format_nor_any_code():
    text = "".join(sentence + quotation for sentence, quotation in corpus(QUESTIONS, 300, seed=0))
    assert not any(tag in text for tag in ALL_TAGS)
    assert not re.search(r"import|print|boxed|#", text)
