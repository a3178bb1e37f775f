"""A whole evaluation with fakes: rows, resumption, determinism."""

from __future__ import annotations

import asyncio
import dataclasses
import math
import re
import signal
import subprocess
import sys
import time

import pytest

from rstar_jax.errors import InputError
from rstar_jax.evaluation import aggregate, selection
from rstar_jax.evaluation.results import REST, TrajectoryRow, read_rows
from rstar_jax.evaluation.run import EvaluationConfig
from rstar_jax.problems.problem import Problem
from rstar_jax.search.config import SearchConfig
from rstar_jax.search.mcts import search


def timeless(result) -> str:
    """All rows without the time that they took; as text, since NaN is unequal to itself."""
    return re.sub(r"seconds=[^,]+", "", repr(result))


def test_every_problem_and_method_has_rows(fakes, tmp_path):
    result = asyncio.run(fakes.run(tmp_path))
    assert set(result.rows) == {"greedy", "sample", "search"}
    for method in result.rows:
        assert set(result.rows[method]) == {p.id for p in fakes.problems()}
    for problem in fakes.problems():
        assert len(result.rows["greedy"][problem.id]) == 1
        for row in result.rows["sample"][problem.id]:
            assert row.strict == (row.answer == problem.answer)
            assert row.released >= row.strict
            assert row.generated_tokens == 14
            assert row.steps == 2
            assert row.calls == 1
            assert row.text[0].startswith("<code>")
            assert row.text[-1].endswith("<end_of_answer>")


def test_search_rows_add_up_to_the_search(fakes, tmp_path):
    result = asyncio.run(fakes.run(tmp_path))
    for problem in fakes.problems():
        policy, config = fakes.FakePolicy(0.5), fakes.CONFIG
        tree = asyncio.run(
            search(problem, config.search, policy, fakes.FakeExecutor(), scorer=fakes.FakeScorer())
        )
        rows = result.rows["search"][problem.id]
        answers = [a for a, kind in zip(tree.answer, tree.kind, strict=True) if kind == "answer"]
        assert [row.answer for row in rows if row.outcome != REST] == answers
        assert sum(row.generated_tokens for row in rows) == tree.tokens
        assert sum(row.calls for row in rows) == tree.executions
        assert sum(row.scored_tokens for row in rows) == sum(
            tokens for tokens, ppm in zip(tree.n_tokens, tree.ppm, strict=True) if not math.isnan(ppm)
        )
        for row in rows:
            assert len(row.values) == row.steps
            assert row.outcome == REST or row.values[-1] == row.score
        assert rows[0].generated_tokens == 3 * 10 + 3 * 4  # root's expansion and the first answer's


def test_samples_cost_what_the_search_cost(fakes, tmp_path):
    result = asyncio.run(fakes.run(tmp_path))
    for searched, sampled in zip(result.of("search"), result.of("sample"), strict=True):
        spent = sum(row.generated_tokens for row in searched)
        total = sum(row.generated_tokens for row in sampled)
        assert total >= spent or len(sampled) == fakes.CONFIG.max_samples


def test_seconds_of_a_problem_go_by_tokens(fakes, tmp_path):
    ticks = iter(range(10_000))  # every look at the clock is a second after the last
    one = dataclasses.replace(fakes.CONFIG, concurrency=1)
    result = asyncio.run(fakes.run(tmp_path, one, clock=lambda: float(next(ticks))))
    for method, rows_of in result.rows.items():
        for rows in rows_of.values():
            assert sum(row.seconds for row in rows) == pytest.approx(1.0), method
            tokens = sum(row.generated_tokens for row in rows)
            assert all(row.seconds == pytest.approx(row.generated_tokens / tokens) for row in rows)


def test_concurrency_changes_nothing(fakes, tmp_path):
    one = dataclasses.replace(fakes.CONFIG, concurrency=1)
    first = asyncio.run(fakes.run(tmp_path / "a", clock=lambda: 0.0))
    second = asyncio.run(fakes.run(tmp_path / "b", one, clock=lambda: 0.0))
    assert repr(first) == repr(second)  # repr, since NaN is unequal to itself


def test_rerun_asks_nothing_and_returns_the_same(fakes, tmp_path):
    first = asyncio.run(fakes.run(tmp_path))
    policy = fakes.FakePolicy(0.5)
    second = asyncio.run(fakes.run(tmp_path, policy=policy))
    assert policy.asked == []
    assert repr(first) == repr(second)
    assert len(read_rows(tmp_path / "trajectories.parquet")) == sum(
        len(rows) for method in first.rows.values() for rows in method.values()
    )


def test_a_missing_part_is_redone_alone(fakes, tmp_path):
    asyncio.run(fakes.run(tmp_path))
    next(iter((tmp_path / "parts").iterdir())).unlink()
    policy = fakes.FakePolicy(0.5)
    asyncio.run(fakes.run(tmp_path, policy=policy))
    assert len(set(policy.asked)) == 1


def test_other_settings_are_refused(fakes, tmp_path):
    asyncio.run(fakes.run(tmp_path))
    with pytest.raises(InputError, match=r"other settings \(seed\)"):
        asyncio.run(fakes.run(tmp_path, dataclasses.replace(fakes.CONFIG, seed=1)))


def test_resumes_after_sigkill(fakes, tmp_path):
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    process = subprocess.Popen([sys.executable, fakes.__file__, str(killed), "0.05"])
    parts = killed / "parts"
    deadline = time.monotonic() + 30
    while not (parts.is_dir() and len(list(parts.glob("*.parquet"))) >= 3):
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    finished = len(list(parts.glob("*.parquet")))
    assert finished < fakes.N_PROBLEMS
    policy = fakes.FakePolicy(0.5)
    resumed = asyncio.run(fakes.run(killed, policy=policy))
    assert len(set(policy.asked)) == fakes.N_PROBLEMS - finished
    assert timeless(resumed) == timeless(asyncio.run(fakes.run(whole)))


def test_a_failing_problem_keeps_the_finished_ones(fakes, tmp_path):
    class Breaks(fakes.FakePolicy):
        async def propose(self, path, n, key):
            if path.problem.id == "p/7":
                raise RuntimeError("no such luck")
            return await super().propose(path, n, key)

    with pytest.raises(ExceptionGroup) as caught:
        asyncio.run(fakes.run(tmp_path, policy=Breaks(0.5)))
    assert caught.value.subgroup(RuntimeError)
    assert any((tmp_path / "parts").glob("*.parquet"))
    assert not (tmp_path / "trajectories.parquet").exists()


def test_progress_is_reported(fakes, tmp_path):
    seen = []
    asyncio.run(fakes.run(tmp_path, on_problem=lambda done, total: seen.append((done, total))))
    assert seen == [(i + 1, fakes.N_PROBLEMS) for i in range(fakes.N_PROBLEMS)]


def test_config_refuses_a_search_that_sees_the_truth():
    with pytest.raises(ValueError, match="by the PPM"):
        EvaluationConfig(search=SearchConfig(terminal="truth"))


def test_missing_models_are_named(fakes, tmp_path):
    policy = fakes.FakePolicy(1)
    tools = fakes.Tools(policy, policy, None, fakes.FakeExecutor(), fakes.GRADERS)
    with pytest.raises(ValueError, match="scorer is needed"):
        asyncio.run(fakes.evaluate(fakes.problems(), fakes.CONFIG, tools, tmp_path))


def test_a_good_scorer_beats_greedy(fakes, tmp_path):
    result = asyncio.run(fakes.run(tmp_path))
    system1, system2 = aggregate.system1(result), aggregate.system2(result)
    assert sum(system2.strict) > sum(system1.strict)
    assert set(system1.trajectories) == {1}
    majority, short = aggregate.majority_at_equal_tokens(result)
    assert 0 <= short <= fakes.N_PROBLEMS
    for spent, budget in zip(majority.generated_tokens, system2.generated_tokens, strict=True):
        assert spent <= max(budget, 14)


def test_pass_at_n_of_an_evaluation(fakes, tmp_path):
    result = asyncio.run(fakes.run(tmp_path))
    at1 = aggregate.pass_at_n(result, 1)
    rows = result.of("sample")[0]
    assert at1.strict[0] == pytest.approx(sum(row.strict for row in rows) / len(rows))
    at4 = aggregate.pass_at_n(result, 4)
    assert all(a <= b for a, b in zip(at1.strict, at4.strict, strict=True))


def test_the_rest_of_an_earlier_tree_is_paid_for():
    """Two trees, 10 tokens to an answer each, then 5 and 3 without."""

    def row(index, tokens, outcome, score=math.nan, right=False):
        answer = None if outcome == REST else str(index)
        return TrajectoryRow("p", "search", index, 0, answer, index, score, right, right, tokens, 0, 2, 0.5, outcome)

    rows = [row(0, 10, "answer", 0.1), row(1, 5, REST), row(2, 10, "answer", 0.9, True), row(3, 3, REST)]
    result = aggregate.collect([Problem("p", "?", "2")], rows)
    (curve,) = aggregate.scaling(result, (1, 2, 3))
    assert [s.generated_tokens for s in curve.scores] == [(10,), (25,), (28,)]
    assert [s.strict for s in curve.scores] == [(0,), (1,), (1,)]
    assert [s.trajectories for s in curve.scores] == [(1,), (2,), (2,)]
    assert aggregate.system2(result, 1).strict == (0,)
    assert aggregate.system2(result, 1).generated_tokens == (28,)
    assert aggregate.system2(result).strict == (1,)


def test_scaling_curves(fakes, tmp_path):
    result = asyncio.run(fakes.run(tmp_path))
    curves = aggregate.scaling(result, (1, 2, 4))
    assert [c.name for c in curves] == [
        aggregate.SEARCH_CURVE,
        aggregate.MAJORITY_CURVE,
        aggregate.BEST_OF_N_CURVE,
    ]
    searched = curves[0].scores
    assert searched[0].generated_tokens[0] == 42
    assert searched[0].generated_tokens <= searched[1].generated_tokens
    first_answers = [selection.first(rows).strict for rows in result.of("search")]
    assert [bool(x) for x in searched[0].strict] == first_answers
    assert all(len(c.unmatched) == 3 for c in curves[1:])
