"""Workers: the parent's limit holds, a hanging worker is killed, and the next question is answered."""

import asyncio
import concurrent.futures
import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest

from rstar_jax.grading import GraderPool
from rstar_jax.grading.workers import WorkerError, WorkerPool

HANGS = "import time\nprint('{\"ready\": true}', flush=True)\ntime.sleep(600)\n"
OBEYS = """
import sys, time
from rstar_jax.grading.worker import serve
def check(gold, answer):
    if answer == "hang":
        time.sleep(600)
    if answer == "break":
        raise RuntimeError(answer)
    return gold == answer
serve(sys.stdin, sys.stdout, check)
"""
UNKNOWN = (r"\sum_{k=1}^{3} k", "6")  # beyond the first stage


def python(program: str) -> tuple[str, ...]:
    return (sys.executable, "-u", "-c", program)


def alive(pid: int) -> bool:
    """Whether the process runs; one that is dead but not yet reaped does not."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.fixture
def pool():
    made = []

    def make(program, **options):
        made.append(WorkerPool(command=python(program), **options))
        return made[-1]

    yield make
    for one in made:
        one.close()


def test_a_hanging_question_ends_at_the_limit_and_the_worker_lives_on(pool):
    workers = pool(OBEYS, limit_s=0.5)
    assert workers.ask("1", "1") is True
    before = workers.pids
    began = time.monotonic()
    assert workers.ask("1", "hang") is None
    assert time.monotonic() - began < 2.5
    assert workers.ask("1", "1") is True
    assert workers.pids == before


def test_an_exception_in_the_worker_is_no_verdict(pool):
    workers = pool(OBEYS)
    assert workers.ask("1", "break") is None
    assert workers.ask("1", "2") is False


def test_a_worker_that_ignores_the_limit_is_killed_and_replaced(pool):
    workers = pool(HANGS, limit_s=0.3)
    workers.start()
    (first,) = workers.pids
    assert workers.ask("1", "1") is None
    assert not alive(first)
    (second,) = workers.pids
    assert second != first


def test_a_worker_killed_from_outside_costs_one_question(pool):
    workers = pool(OBEYS)
    assert workers.ask("1", "1") is True
    os.kill(workers.pids[0], signal.SIGKILL)
    assert workers.ask("1", "1") is None
    assert workers.ask("1", "1") is True


def test_a_worker_that_cannot_start_is_an_error(pool):
    with pytest.raises(WorkerError, match="did not start"):
        pool("raise SystemExit(1)").ask("1", "1")


def test_close_ends_the_processes(pool):
    workers = pool(OBEYS)
    workers.ask("1", "1")
    (pid,) = workers.pids
    workers.close()
    assert not alive(pid)
    with pytest.raises(WorkerError, match="closed"):
        workers.ask("1", "1")


def test_workers_end_with_their_parent():
    program = (
        "from rstar_jax.grading.workers import WorkerPool\n"
        "pool = WorkerPool()\npool.start()\nprint(pool.pids[0], flush=True)\ninput()\n"
    )
    parent = subprocess.Popen(python(program), stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert parent.stdout is not None
    worker = int(parent.stdout.readline())
    assert alive(worker)
    parent.kill()
    parent.communicate()
    deadline = time.monotonic() + 5
    while alive(worker) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not alive(worker)


def test_workers_start_with_the_first_unknown_only():
    with GraderPool(time_limit_s=30.0) as grader:
        assert grader.grade_sync("1/2", "0.5")
        assert not grader.grade_sync("1/3", "0.5")
        assert grader.worker_pids == []
        assert grader.grade_sync(*UNKNOWN)
        assert len(grader.worker_pids) == 1
        assert grader.grade_sync(*UNKNOWN)
        assert (grader.stats.calls, grader.stats.cache_hits, grader.stats.fallbacks) == (4, 1, 1)


def test_the_async_grader_does_not_hold_up_the_loop():
    async def go(grader: GraderPool) -> tuple[bool, bool, float]:
        slow = asyncio.create_task(grader.grade("9^{9^{9^9}}", "5"))
        await asyncio.sleep(0.05)
        began = time.monotonic()
        quick = await grader.grade("2/4", "1/2")
        waited = time.monotonic() - began
        return quick, await slow, waited

    with GraderPool(time_limit_s=1.0) as grader:
        grader.start()
        quick, slow, waited = asyncio.run(go(grader))
    assert quick
    assert not slow
    assert waited < 0.5
    assert grader.stats.unanswered == 1


def test_all_golds_of_a_call_share_its_limit(pool):
    workers = pool(OBEYS, limit_s=1.0)
    workers.start()
    began = time.monotonic()
    assert workers.ask_any(["hang"] * 5, "hang") is None
    assert time.monotonic() - began < 3.0  # five limits would be 5
    assert workers.ask_any(["1", "2"], "2") is True
    assert workers.ask_any(["1", "2"], "3") is False
    assert workers.ask_any(["1", "2"], "2", spent_s=1.0) is None  # nothing is left
    assert workers.ask("1", "1") is True


def test_threads_may_ask_at_once():
    questions = [*[UNKNOWN] * 4, ("1", "2"), ("1/2", "0.5"), (r"\int_0^1 2x dx", "1")] * 2
    with GraderPool(workers=2, time_limit_s=30.0) as grader, concurrent.futures.ThreadPoolExecutor(6) as threads:
        verdicts = list(threads.map(lambda pair: grader.grade_sync(*pair), questions))
    assert verdicts == [True, True, True, True, False, True, True] * 2


def test_the_callers_alarm_is_left_alone():
    rang = []
    before = signal.signal(signal.SIGALRM, lambda *_: rang.append(True))
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.2)
        with GraderPool(time_limit_s=1.0) as grader:
            grader.grade_sync("9^{9^{9^9}}", "5")
        assert rang == [True]
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_the_cache_forgets_the_least_recently_used():
    with GraderPool(cache_size=2) as grader:
        for answer in ("1", "2", "1", "3", "1", "2"):
            grader.grade_sync(answer, "1")
        assert grader.stats.cache_hits == 2
