"""Errors that a person is meant to read: one sentence each, and how a command ends with one.

A mistake in what the user gave (a file, a flag, a server's address) is an `InputError`. Every command-line
entry point runs its `main` through `run_main`, so that such a mistake never shows a stack trace; bugs keep
theirs.
"""

from __future__ import annotations

import errno
import sys
from collections.abc import Callable
from typing import NoReturn

EXIT_BAD_INPUT = 2
EXIT_UNAVAILABLE = 75  # sysexits' EX_TEMPFAIL: the same command may succeed later
EXIT_TERMINATED = 143  # 128 + SIGTERM
EXIT_INTERRUPTED = 130  # 128 + SIGINT, the shells' convention

_OUT_OF_SPACE = (errno.ENOSPC, errno.EDQUOT)


class InputError(Exception):
    """Something the user gave cannot be used; the message is one sentence that says what and where."""


class Unavailable(InputError):
    """Something that is needed, a server or the net, is not there now; it may be later."""


def first_leaf(error: BaseException) -> BaseException:
    """Of a group, as an asyncio.TaskGroup makes them, the first exception that is none; else the exception itself."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def run_main(fn: Callable[[], int | None]) -> NoReturn:
    """Run a command's main function and end the process with its exit code (None counts as 0).

    InputError, a full disk and an address in use become one sentence on stderr and exit code 2, or 75 for what is
    Unavailable, Ctrl-C becomes exit code 130. Every other exception passes through with its stack trace.
    """
    try:
        code = fn() or 0
    except (Exception, KeyboardInterrupt, BaseExceptionGroup) as error:
        ending = _ending(error)
        if ending is None:
            raise
        sentence, code = ending
        print(sentence, file=sys.stderr, flush=True)
    sys.exit(code)


def _ending(error: BaseException) -> tuple[str, int] | None:
    """The sentence and the exit code for an expected error, None for a bug."""
    if isinstance(error, BaseExceptionGroup):  # how an asyncio.TaskGroup reports what its tasks raised
        endings = [_ending(inner) for inner in error.exceptions]
        return None if None in endings else endings[0]
    if isinstance(error, InputError):
        return f"Error: {error}", EXIT_UNAVAILABLE if isinstance(error, Unavailable) else EXIT_BAD_INPUT
    if isinstance(error, KeyboardInterrupt):
        return "Interrupted.", EXIT_INTERRUPTED
    if isinstance(error, OSError) and error.errno in _OUT_OF_SPACE:
        where = f" while writing {error.filename}" if error.filename else ""
        return f"Error: no space left on the disk{where}; free some space and start again.", EXIT_BAD_INPUT
    if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
        return f"Error: {error.strerror or 'address already in use'}; choose another port.", EXIT_BAD_INPUT
    return None
