"""Progress in a log file and on a terminal."""

from __future__ import annotations

import io

import pytest

from rstar_jax.search import progress


def test_lines_say_how_far_it_is_and_what_the_engines_do(capsys, monkeypatch):
    monkeypatch.setattr(progress, "SECONDS_BETWEEN_LINES", 0.0)
    lines = progress.make_progress(3, 1, "search", lambda: "decoded 12/s")
    lines.advance(True, 40)
    lines.advance(False, 2)
    lines.close()
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith("search: 2/3 problems; in this run 1 solved, 40 tokens")
    assert second.endswith("s; decoded 12/s")


def test_lines_say_how_fast_and_how_long_still(capsys, monkeypatch):
    clock = iter([0.0, 30.0, 30.0])
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    lines = progress.make_progress(10, 4, "evaluate")
    lines.advance(0, 0, 2)
    assert capsys.readouterr().err == "evaluate: 6/10 problems; 30 s, 4 a minute, about 60 s left\n"


def test_nothing_to_say_leaves_no_mark(capsys):
    lines = progress.make_progress(1, 0, "search", lambda: "")
    lines.close()
    assert capsys.readouterr().err.rstrip().endswith(" s")


@pytest.mark.parametrize("status", [None, lambda: "decoded 12/s"])
def test_a_bar_on_a_terminal(monkeypatch, status):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    screen, clock = Terminal(), iter(range(100))
    monkeypatch.setattr(progress.sys, "stderr", screen)
    monkeypatch.setattr(progress.time, "monotonic", lambda: float(next(clock)))
    bar = progress.make_progress(2, 0, "search", status)
    bar.advance(True, 5)
    bar.advance(True, 5)
    bar.close()
    assert "2/2" in screen.getvalue()
    assert ("decoded 12/s" in screen.getvalue()) == bool(status)
