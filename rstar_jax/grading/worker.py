"""A worker process: math-verify behind a pipe (grading recommendation 3).

Started with `python -m rstar_jax.grading.worker`. It reads one JSON object a line, `{"gold": .., "answer":
..}`, and writes one, `{"equal": true | false | null}`. Each question runs in a forked child, so that no
question meets the caches of another and a kill costs no import of SymPy. The worker has one thread and no
JAX, so forking is safe here. It sets no time limit: on SIGUSR1 from its parent it kills the child and replies
null. It ends with its parent.
"""

from __future__ import annotations

import ctypes
import json
import logging
import os
import resource
import signal
import sys
from collections.abc import Callable
from typing import TextIO

MEMORY_BYTES = 3 * 2**30
RECURSION_LIMIT = 3000
_PR_SET_PDEATHSIG = 1

Check = Callable[[str, str], bool]


def main() -> None:
    _end_with_parent()
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    replies = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what a library prints must not be taken for a reply
    serve(sys.stdin, replies, _math_verify())


def _end_with_parent() -> None:
    parent = os.getppid()
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before the call
        os._exit(0)


def _math_verify() -> Check:
    from math_verify import parse, verify

    logging.disable(logging.CRITICAL)  # math-verify logs every text that it cannot parse

    def check(gold: str, answer: str) -> bool:
        # None: no alarm, which would need the main thread; the annotation forgets it.
        first, second = (
            parse(f"\\boxed{{{text}}}", parsing_timeout=None)  # pyright: ignore[reportArgumentType]
            for text in (gold, answer)
        )
        return bool(first and second and verify(first, second, strict=True, timeout_seconds=None))

    check("1", "2")  # loads the grammar before the first fork
    return check


def serve(requests: TextIO, replies: TextIO, check: Check) -> None:
    """Answers until the parent closes the pipe."""
    child = 0

    def stop(*_: object) -> None:
        if child:
            os.kill(child, signal.SIGKILL)

    signal.signal(signal.SIGUSR1, stop)
    print(json.dumps({"ready": True}), file=replies)
    for line in requests:
        question = json.loads(line)
        source, sink = os.pipe()
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})  # until the child's number is known
        child = os.fork()
        if child == 0:
            _answer(sink, question, check)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGUSR1})
        os.close(sink)
        said = os.read(source, 1)
        os.close(source)
        finished, child = child, 0
        os.waitpid(finished, 0)
        print(json.dumps({"equal": {b"1": True, b"0": False}.get(said)}), file=replies)


def _answer(sink: int, question: dict[str, str], check: Check) -> None:
    """The child's whole life."""
    _end_with_parent()
    sys.setrecursionlimit(RECURSION_LIMIT)
    try:
        equal = check(question["gold"], question["answer"])
    except (Exception, RecursionError):  # a text that breaks math-verify has no verdict
        os._exit(1)
    os.write(sink, b"1" if equal else b"0")
    os._exit(0)


if __name__ == "__main__":
    main()
