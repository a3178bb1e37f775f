"""Files are whole or absent, whatever happens to their writer."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import pathlib
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator

import pytest

from rstar_jax import files
from rstar_jax.errors import InputError


def names(folder: pathlib.Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def start(code: str, *args: object) -> subprocess.Popen[str]:
    """A Python process that prints a line when it is in the middle of its work."""
    command = [sys.executable, "-c", textwrap.dedent(code), *map(str, args)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "writing\n"
    return process


def kill(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=30)


WRITE_AND_WAIT = """
    import sys, time
    from rstar_jax import files
    with files.atomic_write(sys.argv[1]) as file:
        file.write("new" * 100_000)
        file.flush()
        print("writing", flush=True)
        time.sleep(600)
"""

FILL_AND_WAIT = """
    import sys, time
    from rstar_jax import files
    with files.atomic_directory(sys.argv[1]) as folder:
        (folder / "part").write_text("half")
        print("writing", flush=True)
        time.sleep(600)
"""


class TestAtomicWrite:
    def test_file_appears_with_its_whole_content(self, tmp_path: pathlib.Path) -> None:
        path = tmp_path / "a" / "b.txt"
        with files.atomic_write(path) as file:
            file.write("one\n")
            assert not path.exists()
        assert path.read_bytes() == b"one\n"
        assert names(path.parent) == ["b.txt"]

    def test_an_exception_leaves_the_old_file(self, tmp_path: pathlib.Path) -> None:
        path = tmp_path / "file"
        files.write_text(path, "old")

        def rows() -> Iterator[int]:
            yield 1
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            files.write_jsonl(path, rows())
        assert path.read_text() == "old"
        assert names(tmp_path) == ["file"]

    def test_a_killed_writer_leaves_the_old_file_and_a_rest_to_clear(self, tmp_path: pathlib.Path) -> None:
        path = tmp_path / "file"
        files.write_text(path, "old")
        writer = start(WRITE_AND_WAIT, path)
        assert files.remove_stale(tmp_path) == []  # it is still at work
        kill(writer)
        assert path.read_text() == "old"
        assert len(names(tmp_path)) == 2
        assert len(files.remove_stale(tmp_path)) == 1
        assert names(tmp_path) == ["file"]

    def test_killed_at_any_moment_the_file_is_one_of_its_versions(self, tmp_path: pathlib.Path) -> None:
        path = tmp_path / "file"
        files.write_text(path, "0" * 50_000)
        code = """
            import itertools, sys
            from rstar_jax import files
            print("writing", flush=True)
            for i in itertools.count():
                files.write_text(sys.argv[1], str(i % 10) * 50_000)
        """
        for pause in (0.01, 0.05, 0.13):
            writer = start(code, path)
            time.sleep(pause)
            kill(writer)
            text = path.read_text()
            assert len(text) == 50_000
            assert len(set(text)) == 1

    def test_a_full_disk_leaves_the_old_file_and_names_the_new_one(self, tmp_path: pathlib.Path) -> None:
        disk = tmp_path / "disk"
        disk.mkdir()
        mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(disk)]
        try:
            mounted = subprocess.run(mount, capture_output=True, check=False).returncode == 0
        except FileNotFoundError:
            mounted = False
        if not mounted:
            pytest.skip("mounting a small file system is not permitted here")
        try:
            path = disk / "file.jsonl"
            files.write_text(path, "old")
            with pytest.raises(OSError, match="No space left") as caught:
                files.write_jsonl(path, ("x" * 1000 for _ in range(1000)))
            assert caught.value.errno == errno.ENOSPC
            assert caught.value.filename == str(path)
            assert path.read_text() == "old"
            assert names(disk) == ["file.jsonl"]
        finally:
            subprocess.run(["umount", str(disk)], check=True)

    def test_a_size_limit_leaves_the_old_file(self, tmp_path: pathlib.Path) -> None:
        path = tmp_path / "file"
        files.write_text(path, "old")
        code = """
            import resource, signal, sys
            from rstar_jax import files
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
            try:
                files.write_text(sys.argv[1], "new" * 100_000)
            except OSError as error:
                print(error.errno, error.filename)
        """
        command = [sys.executable, "-c", textwrap.dedent(code), str(path)]
        run = subprocess.run(command, capture_output=True, text=True, check=True)
        assert run.stdout.split() == [str(errno.EFBIG), str(path)]
        assert path.read_text() == "old"
        assert names(tmp_path) == ["file"]

    def test_buckets_and_other_modes_are_refused(self, tmp_path: pathlib.Path) -> None:
        with pytest.raises(InputError, match="gs://bucket/file: only local paths"):
            files.write_text("gs://bucket/file", "")
        with pytest.raises(ValueError, match="'a'"), files.atomic_write(tmp_path / "file", "a"):
            pass

    def test_permissions_follow_the_umask(self, tmp_path: pathlib.Path) -> None:
        old = os.umask(0o027)
        try:
            files.write_text(tmp_path / "file", "")
        finally:
            os.umask(old)
        assert (tmp_path / "file").stat().st_mode & 0o777 == 0o640


class TestAtomicDirectory:
    def test_folder_appears_with_its_whole_content(self, tmp_path: pathlib.Path) -> None:
        path = tmp_path / "model"
        with files.atomic_directory(path) as folder:
            (folder / "deep").mkdir()
            (folder / "deep" / "weights").write_bytes(b"1")
            assert not path.exists()
        assert (path / "deep" / "weights").read_bytes() == b"1"
        assert names(tmp_path) == ["model"]

    def test_an_exception_leaves_nothing(self, tmp_path: pathlib.Path) -> None:
        def fill() -> None:
            with files.atomic_directory(tmp_path / "model") as folder:
                (folder / "weights").write_bytes(b"1")
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            fill()
        assert names(tmp_path) == []

    def test_a_finished_folder_is_never_replaced(self, tmp_path: pathlib.Path) -> None:
        path = tmp_path / "model"
        with pytest.raises(FileExistsError), files.atomic_directory(path):
            path.mkdir()  # somebody else is faster
        with pytest.raises(FileExistsError), files.atomic_directory(path):
            pytest.fail("the block must not run")
        assert names(tmp_path) == ["model"]

    def test_a_killed_writer_leaves_no_folder_and_a_rest_to_clear(self, tmp_path: pathlib.Path) -> None:
        path = tmp_path / "model"
        writer = start(FILL_AND_WAIT, path)
        assert files.remove_stale(tmp_path) == []
        kill(writer)
        assert not path.exists()
        assert len(files.remove_stale(tmp_path)) == 1
        assert names(tmp_path) == []

    def test_names_that_only_look_temporary_are_spared(self, tmp_path: pathlib.Path) -> None:
        (tmp_path / "notes.tmp-mine").write_text("keep")
        assert files.remove_stale(tmp_path) == []
        assert files.remove_stale(tmp_path / "absent") == []


class TestJson:
    VALUES = ({"a": [1, 2.5, None, True]}, "π and \u2028 and \r in one", [], 10**30, "half a pair: \ud83d")

    @pytest.mark.parametrize("value", VALUES)
    def test_round_trip(self, tmp_path: pathlib.Path, value: object) -> None:
        files.write_json(tmp_path / "a.json", value)
        assert files.read_json(tmp_path / "a.json") == value
        assert files.write_jsonl(tmp_path / "a.jsonl", [value, value]) == 2
        assert files.read_jsonl(tmp_path / "a.jsonl") == [value, value]

    def test_text_stays_readable(self, tmp_path: pathlib.Path) -> None:
        files.write_jsonl(tmp_path / "a", [{"q": "√2"}])
        assert (tmp_path / "a").read_text(encoding="utf-8") == '{"q": "√2"}\n'

    def test_nan_is_refused_and_leaves_nothing(self, tmp_path: pathlib.Path) -> None:
        with pytest.raises(ValueError, match="JSON compliant"):
            files.write_jsonl(tmp_path / "a", [1, float("nan")])
        assert names(tmp_path) == []

    def test_blank_lines_and_windows_files(self, tmp_path: pathlib.Path) -> None:
        (tmp_path / "a").write_bytes(b"\xef\xbb\xbf1\r\n\r\n2")
        assert list(files.iterate_jsonl(tmp_path / "a")) == [(1, 1), (3, 2)]

    @pytest.mark.parametrize(
        ("content", "reason"),
        [
            (b'{"a": 1}\n{"a": \n', "line 2: not valid JSON"),
            (b"1\n\xff\n", r"line 2: not UTF-8 text \(invalid start byte at byte 0\)"),
            (b"1\n" + b"[" * 200_000, "line 2: not"),
            (b"1\n" + b"9" * 5000, "line 2: not usable JSON"),
        ],
    )
    def test_errors_of_lines(self, tmp_path: pathlib.Path, content: bytes, reason: str) -> None:
        (tmp_path / "a").write_bytes(content)
        with pytest.raises(InputError, match=rf"a, {reason}"):
            files.read_jsonl(tmp_path / "a")

    def test_errors_of_files(self, tmp_path: pathlib.Path) -> None:
        with pytest.raises(InputError, match="absent: no such file"):
            files.read_json(tmp_path / "absent")
        with pytest.raises(InputError, match="a folder, where a file is needed"):
            files.read_jsonl(tmp_path)
        (tmp_path / "a").write_text('{\n"a": 1,\n}')
        with pytest.raises(InputError, match="a, line 3: not valid JSON"):
            files.read_json(tmp_path / "a")

    def test_a_reader_never_sees_half_a_file(self, tmp_path: pathlib.Path) -> None:
        path = tmp_path / "a.json"
        files.write_json(path, ["x"] * 1000)
        code = """
            import itertools, sys
            from rstar_jax import files
            print("writing", flush=True)
            for i in itertools.count(1):
                files.write_json(sys.argv[1], ["x" * (i % 7)] * 1000)
        """
        writer = start(code, path)
        try:
            for _ in range(200):
                assert len(files.read_json(path)) == 1000
        finally:
            kill(writer)


def test_sha256(tmp_path: pathlib.Path) -> None:
    data = os.urandom(3_000_000)
    (tmp_path / "a").write_bytes(data)
    assert files.sha256_of(tmp_path / "a") == hashlib.sha256(data).hexdigest()
    with pytest.raises(InputError, match="no such file"):
        files.sha256_of(tmp_path / "b")


def test_rows_are_written_as_they_come(tmp_path: pathlib.Path) -> None:
    """A generator's rows are not collected in memory first: the temporary file grows meanwhile."""
    sizes = []

    def rows() -> Iterator[dict[str, object]]:
        for i in range(20):
            sizes.append(sum(entry.stat().st_size for entry in tmp_path.iterdir()))
            yield {"i": i, "text": "x" * 10_000}

    files.write_jsonl(tmp_path / "a", rows())
    assert 0 < sizes[-1] < 20 * 10_000
    assert json.loads((tmp_path / "a").read_text().splitlines()[-1])["i"] == 19
