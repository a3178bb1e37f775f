"""The strict grader on our own labelled cases, and on the shared pairs where they are."""

import concurrent.futures
import json
import pathlib
import time

import pytest

from rstar_jax.grading import GraderPool, extract_answer, group_answers, verdict
from tests.grading.rule_cases import CASES

SHARED = pathlib.Path(__file__).parents[2].parent / "shared" / "data"
needs_shared = pytest.mark.skipif(not SHARED.exists(), reason="the shared data are not here")

POSITIVES = [(rule, gold, answer) for rule, gold, equal, _ in CASES for answer in equal]
NEGATIVES = [(rule, gold, answer) for rule, gold, _, different in CASES for answer in different]


@pytest.fixture(scope="module")
def grader():
    with GraderPool("strict") as pool:
        yield pool


def test_own_cases_hold(grader):
    refused = [case for case in POSITIVES if not grader.grade_sync(case[2], case[1])]
    accepted = [case for case in NEGATIVES if grader.grade_sync(case[2], case[1])]
    assert len(refused) <= 0.03 * len(POSITIVES), refused
    assert len(accepted) <= 0.005 * len(NEGATIVES), accepted


@needs_shared
def test_shared_pairs_hold(grader):
    pairs = [json.loads(line) for line in (SHARED / "grader_pairs.jsonl").read_text().splitlines()]
    wrong = [p for p in pairs if grader.grade_sync(p["pred"], p["gold"]) != p["match"]]
    traps = {"tolerance_trap", "percent_trap", "partial", "invalid", "empty_gold", "tiny"}
    assert len(wrong) <= 0.005 * len(pairs), wrong
    assert not [p for p in wrong if p["kind"] in traps and not p["match"]]


def test_threads_agree(grader):
    cases = (POSITIVES + NEGATIVES)[::7]
    here = [verdict(answer, gold) for _, gold, answer in cases]
    with concurrent.futures.ThreadPoolExecutor(4) as threads:
        there = list(threads.map(lambda case: verdict(case[2], case[1]), cases))
    assert here == there


@pytest.mark.parametrize("semantics", ["strict", "released"])
def test_nothing_is_executed(semantics, tmp_path):
    target = tmp_path / "made"
    with GraderPool(semantics) as pool:
        for answer in (f"__import__('os').mkdir({str(target)!r})", f"(lambda: open({str(target)!r}, 'w'))()"):
            assert not pool.grade_sync(answer, "5")
            assert not pool.grade_sync("5", answer)
    assert not target.exists()


HOSTILE = ["9^{9^{9^9}}", "(" * 5000 + "1" + ")" * 5000, "1e999999999", "7" * 100_000, "10!!!!!!"]


@pytest.mark.parametrize("text", HOSTILE, ids=["tower", "nesting", "exponent", "digits", "factorials"])
def test_hostile_input_ends_in_time(text):
    with GraderPool("strict", time_limit_s=2.0) as pool:
        assert not pool.grade_sync(text, "3")
        assert pool.grade_sync("3", "3")


def test_answers_are_taken_from_the_box():
    assert extract_answer(r"<answer>It is \boxed{\frac{1}{2}}.<end_of_answer>") == r"\frac{1}{2}"
    assert extract_answer(r"<answer>First \boxed{1}, then \boxed{2}<end_of_answer>") == "2"
    assert extract_answer("<answer>Five<end_of_answer>") is None


def test_equal_answers_share_a_group():
    assert group_answers(["1/2", "0.5", "3", r"\frac12", "3.0"]) == [0, 0, 1, 0, 1]


@needs_shared
@pytest.mark.slow
def test_no_adversarial_input_exceeds_its_limit():
    lines = [json.loads(line) for line in (SHARED / "grader_adversarial.jsonl").read_text().splitlines()]
    with GraderPool("strict", time_limit_s=2.0) as pool:
        for line in lines:
            start = time.monotonic()
            pool.grade_sync(line["pred"], line["gold"])
            assert time.monotonic() - start < 6.0, line
