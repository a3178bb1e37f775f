"""A journal keeps what was added, and loses at most half a line."""

from __future__ import annotations

import pathlib
import subprocess
import sys

import pytest

from rstar_jax.errors import InputError
from rstar_jax.journal import Journal


def test_rows_come_back_in_order(tmp_path) -> None:
    for start in (0, 3):
        with Journal(tmp_path / "deep" / "rows.jsonl") as journal:
            assert [row["n"] for row in journal.rows()] == list(range(start))
            for number in range(start, start + 3):
                journal.add({"n": number, "text": "ä\nb\ud800"})
            assert [row["n"] for row in journal.rows()] == list(range(start + 3))


@pytest.mark.parametrize("rest", [b'{"n": 1', b'{"n": 1}'])
def test_half_a_line_is_cut_off(tmp_path, rest: bytes) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b'{"n": 0}\n' + rest)
    with Journal(path) as journal:
        assert list(journal.rows()) == [{"n": 0}]
        journal.add({"n": 2})
    assert path.read_bytes() == b'{"n": 0}\n{"n": 2}\n'


def test_what_is_no_row_is_named(tmp_path) -> None:
    (tmp_path / "rows.jsonl").write_text('{"n": 0}\nnonsense\n')
    with Journal(tmp_path / "rows.jsonl") as journal, pytest.raises(InputError, match="line 2"):
        list(journal.rows())


def test_a_row_is_on_the_disk_when_its_writer_is_killed(tmp_path) -> None:
    code = (
        "import os, signal, sys; from rstar_jax.journal import Journal; journal = Journal(sys.argv[1]);"
        "journal.add({'n': 0}); os.kill(os.getpid(), signal.SIGKILL)"
    )
    path: pathlib.Path = tmp_path / "rows.jsonl"
    assert subprocess.run([sys.executable, "-c", code, path]).returncode == -9
    with Journal(path) as journal:
        assert list(journal.rows()) == [{"n": 0}]
