"""The final answer, as the released code reads it."""

from __future__ import annotations

import pytest

from rstar_jax.search.answers import extractor, released_answer


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("\n<answer>We get \\boxed{-2}.\n<end_of_answer>", "-2"),
        ("So \\boxed{1} or \\boxed{\\frac{1}{2}}", "\\frac{1}{2}"),
        ("There are 5 apples.\nSo \\boxed{5}.", "There are 5 apples"),
        ("# a boxed comment\nx = 1\n<end_of_step>", "# a boxed comment\nx = 1\n<end_of_step>"),
        ("\\boxed{}", ""),
        ("\\boxed{\\text{ 5 } cm}", "5 cm"),
        ("\\boxed{1 \\text{ and } 2}", "1  2"),
        ("\\boxed{\\text{5}", "5}"),
        ("\\boxed{\\text{5", "[invalid]"),
        ("\\boxed{7", "boxed{7"),
        ("I think \\boxed{seven", "ven"),
    ],
)
def test_released_answer(text: str, answer: str):
    assert released_answer(text) == answer


def test_plain_answer_is_read_in_the_answer_block():
    extract = extractor("plain")
    assert extract("<answer>There are 5 apples.\nSo \\boxed{5}<end_of_answer>") == "5"
    assert extract("<answer>nothing<end_of_answer>") == ""
