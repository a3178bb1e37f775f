"""Which sampled solutions the policies of Table 7 learn from."""

from __future__ import annotations

import asyncio
import dataclasses
import math

import pytest

from rstar_jax.errors import InputError
from rstar_jax.evaluation.rescore import rescore, scored_rows
from rstar_jax.evaluation.results import NO_GROUP, NO_TREE, Parts, TrajectoryRow
from rstar_jax.evaluation.run import EvaluationConfig
from rstar_jax.problems.problem import Problem
from rstar_jax.reproduction.ablations import best_scored, random_choice, sft_rows

QUESTIONS = [("p", "1?"), ("q", "2?")]


def row(index, text, right=True, score=0.0, answer="1"):
    group = NO_GROUP if answer is None else 0
    return TrajectoryRow(
        "p", "sample", index, NO_TREE, answer, group, score, right, right, 10, 0, 1, 0.5, "answer", (text, "!")
    )


ROWS = {
    "p": [row(0, "a", score=0.1), row(1, "b", False, 0.9), row(2, "c", score=0.7), row(3, "a", score=0.1), row(4, "d")],
    "q": [row(0, "z", False)],
}


def chosen(choose):
    return [(one["problem"], one["response"]) for one in sft_rows(QUESTIONS, ROWS.__getitem__, "strict", choose)]


def test_rejection_sampling_takes_the_best_right_ones():
    assert chosen(best_scored) == [("p", "c!"), ("p", "a!")]


def test_a_random_sample_is_of_right_and_distinct_ones_and_repeats():
    first = chosen(random_choice(0))
    assert first == chosen(random_choice(0))
    assert len(set(first)) == 2
    assert {problem for problem, _ in first} == {"p"}
    seen = {response for seed in range(40) for _, response in chosen(random_choice(seed))}
    assert seen == {"a!", "c!", "d!"}


def test_what_is_right_is_for_the_grader_to_say():
    rows = {"p": [dataclasses.replace(row(0, "a"), strict=False)], "q": []}
    assert [one["response"] for one in sft_rows(QUESTIONS, rows.__getitem__, "released", best_scored)] == ["a!"]
    assert list(sft_rows(QUESTIONS, rows.__getitem__, "strict", best_scored)) == []


class Length:
    """Scores a path by its length, and remembers what it was asked."""

    def __init__(self):
        self.asked = []

    async def score(self, paths):
        self.asked += [path.steps for path in paths]
        return [len(path.text) / 10 for path in paths]


PROBLEM = Problem("p", "1?", "1")
CONFIG = EvaluationConfig(methods=("sample",), models="x", match_search=False, score_samples=False)


def test_scores_are_new_and_costs_stay():
    rows = [row(0, "abc"), row(1, "de", answer=None)]
    first, second = asyncio.run(scored_rows(PROBLEM, rows, Length()))
    assert (first.score, first.scored_tokens, first.generated_tokens) == (0.4, 10, 10)
    assert math.isnan(second.score)
    assert second.scored_tokens == 0


def test_samples_are_scored_once(tmp_path):
    problems = [PROBLEM, Problem("r", "3?", "1")]
    source = Parts(tmp_path / "samples" / "parts")
    for problem in problems:
        source.write(problem, [row(0, "abc")])
    scorer = Length()
    for _ in range(2):
        asyncio.run(rescore(problems, CONFIG, scorer, tmp_path / "samples", tmp_path / "out"))
    assert len(scorer.asked) == 2
    assert Parts(tmp_path / "out" / "parts").read(PROBLEM)[0].score == 0.4
    other = dataclasses.replace(CONFIG, seed=1)
    with pytest.raises(InputError, match="other settings"):
        asyncio.run(rescore(problems, other, scorer, tmp_path / "samples", tmp_path / "out"))


def test_missing_samples_are_named(tmp_path):
    with pytest.raises(InputError, match="no samples of 1 problems yet, among them p"):
        asyncio.run(rescore([PROBLEM], CONFIG, Length(), tmp_path / "samples", tmp_path / "out"))
