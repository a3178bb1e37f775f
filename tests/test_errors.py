"""What the user sees when a command ends badly."""

from __future__ import annotations

import errno
import os
import signal
import socket
import subprocess
import sys
import textwrap
from collections.abc import Callable
from typing import Any

import pytest

from rstar_jax.errors import InputError, run_main

FULL = "no space left on the disk"
FREE = "free some space and start again."


def raising(error: BaseException) -> Callable[[], int]:
    def main() -> int:
        raise error

    return main


def full_disk(filename: str | None = None) -> OSError:
    return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), filename)


@pytest.mark.parametrize(
    ("error", "code", "sentence"),
    [
        (InputError("a.jsonl, line 3: no answer"), 2, "Error: a.jsonl, line 3: no answer\n"),
        (KeyboardInterrupt(), 130, "Interrupted.\n"),
        (full_disk(), 2, f"Error: {FULL}; {FREE}\n"),
        (full_disk("a.json"), 2, f"Error: {FULL} while writing a.json; {FREE}\n"),
        (ExceptionGroup("tasks", [InputError("one"), InputError("two")]), 2, "Error: one\n"),
        (BaseExceptionGroup("tasks", [KeyboardInterrupt()]), 130, "Interrupted.\n"),
    ],
)
def test_expected_errors_are_one_sentence(
    capsys: pytest.CaptureFixture[str], error: BaseException, code: int, sentence: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        run_main(raising(error))
    assert ended.value.code == code
    captured = capsys.readouterr()
    assert captured.err == sentence
    assert captured.out == ""


def test_address_in_use_by_a_real_socket(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as first, socket.socket() as second:
        first.bind(("127.0.0.1", 0))
        first.listen()

        def main() -> None:
            second.bind(first.getsockname())

        with pytest.raises(SystemExit) as ended:
            run_main(main)
    assert ended.value.code == 2
    assert capsys.readouterr().err == "Error: Address already in use; choose another port.\n"


MIXED = ExceptionGroup("tasks", [InputError("expected"), ValueError("a bug")])


@pytest.mark.parametrize("bug", [ValueError("a bug"), OSError(errno.EACCES, "x"), MIXED])
def test_bugs_keep_their_stack_trace(bug: Exception) -> None:
    with pytest.raises(type(bug)):
        run_main(raising(bug))


@pytest.mark.parametrize(("returned", "code"), [(None, 0), (0, 0), (3, 3)])
def test_exit_code_is_what_main_returns(returned: Any, code: int) -> None:
    with pytest.raises(SystemExit) as ended:
        run_main(lambda: returned)
    assert ended.value.code == code


def test_ctrl_c_of_a_real_process_prints_no_stack_trace() -> None:
    code = """
        import time
        from rstar_jax.errors import run_main
        def main():
            print("working", flush=True)
            time.sleep(600)
        run_main(main)
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job has it ignored, and so its children
    command = [sys.executable, "-c", textwrap.dedent(code)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "working\n"
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=30)
    assert (process.returncode, stderr) == (130, "Interrupted.\n")
