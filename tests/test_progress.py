"""Progress of loops, in a log file and on a terminal."""

from __future__ import annotations

import io

from rstar_jax import progress
from rstar_jax.progress import Track, tracked


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_lines_have_rate_and_time_left():
    clock, log = Clock(), io.StringIO()
    with Track("read", "rows", 100, log, clock) as track:
        for _ in range(30):
            clock.now += 1
            track.advance(2)
    first, second, third = log.getvalue().splitlines()
    assert first == "read: 20/100 rows; 10 s, 2/s, about 40 s left"
    assert second.startswith("read: 40/100 rows; 20 s")
    assert third.endswith("2/s, about 20 s left")


def test_the_last_line_is_the_end():
    clock, log = Clock(), io.StringIO()
    with Track("read", "rows", None, log, clock) as track:
        clock.now = 10.0
        track.advance(5)
        clock.now = 12.0
        track.advance()
    assert log.getvalue().splitlines()[-1] == "read: 6 rows; 12 s, 0.5/s"


def test_what_is_quick_leaves_no_line():
    log = io.StringIO()
    with Track("read", "rows", 3, log, Clock()) as track:
        track.advance(3)
    assert log.getvalue() == ""


def test_a_bar_on_a_terminal():
    screen = Terminal()
    with Track("read", "rows", 3, screen) as track:
        track.advance(3)
    assert "3/3" in screen.getvalue()


def test_items_pass_through(monkeypatch, capsys):
    monkeypatch.setattr(progress, "SECONDS_BETWEEN_LINES", 0.0)
    assert list(tracked(iter("abc"), "read", "letters", 3)) == ["a", "b", "c"]
    assert capsys.readouterr().err.splitlines()[-1].startswith("read: 3/3 letters; ")
