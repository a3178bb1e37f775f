"""Files that are whole or absent: every write goes to a temporary name in the same folder and is renamed.

A reader therefore never sees half a file, and a process killed in the middle of a write leaves the old one in
place. What it leaves behind has `.tmp-` in its name; `remove_stale` clears it away at the next start.

Reading takes any path that `etils.epath` knows (`gs://…` too). Writing is for local paths so far: renaming
is what makes it atomic, and a bucket has no renaming.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import pathlib
import secrets
import shutil
from collections.abc import Container, Iterable, Iterator
from contextlib import contextmanager
from typing import IO, Any, TypeAlias

from etils import epath

from rstar_jax.errors import InputError

AnyPath: TypeAlias = str | os.PathLike[str]

_TEMPORARY = ".tmp-"
_TOKEN_BYTES = 6  # of randomness in a temporary name
_CHUNK = 1 << 20  # bytes per read when hashing
_WRITE_FAILURES = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
_NO_LOCKS = (errno.ENOTSUP, errno.ENOSYS, errno.ENOLCK)


def local_path(path: AnyPath) -> pathlib.Path:
    """`path` as a local one. Raises InputError for a bucket."""
    if "://" in os.fspath(path):
        raise InputError(f"{os.fspath(path)}: only local paths can be written here")
    return pathlib.Path(path)


# --- Writing ------------------------------------------------------------------------------------------


@contextmanager
def atomic_write(path: AnyPath, mode: str = "w") -> Iterator[IO[Any]]:
    """An open file that takes the place of `path` when the block ends without an exception.

    `mode` is "w" (UTF-8, "\\n" line ends) or "wb"; missing folders are made. Raises InputError for a bucket,
    OSError (with the file's name) where the system refuses.
    """
    if mode not in ("w", "wb"):
        raise ValueError(f"mode must be 'w' or 'wb', not {mode!r}")
    path = local_path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary, file = _open_temporary(path, mode)
    try:
        with file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
        _sync(path.parent)
    except OSError as error:
        if error.filename is None and error.errno in _WRITE_FAILURES:  # they do not say where
            error.filename = str(path)
        raise
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def atomic_directory(path: AnyPath) -> Iterator[pathlib.Path]:
    """A fresh folder to fill, renamed to `path` when the block ends without an exception.

    Raises FileExistsError if `path` exists, before the block or because somebody else was faster: a finished
    folder is never replaced.
    """
    path = local_path(path)
    _refuse_existing(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary, lock = _make_temporary_directory(path)
    try:
        yield temporary
        _sync_tree(temporary)
        _refuse_existing(path)  # renaming refuses a folder with files by itself, but not an empty one
        os.rename(temporary, path)
        _sync(path.parent)
    finally:
        os.close(lock)
        if temporary.exists():
            shutil.rmtree(temporary)


def remove_stale(folder: AnyPath, names: Container[str] | None = None) -> list[pathlib.Path]:
    """Delete and return what killed writers left directly in `folder`; writers at work are spared.

    names: of files that are looked after, where other machines may be writing others; None: all.

    A writer holds a lock on its temporary file or folder, which the system drops with the process, however
    that ends. On a file system without locks nothing is ever deleted; on one that does not tell other machines of
    locks, `names` has to leave out what they write.
    """
    folder = local_path(folder)
    candidates = sorted(folder.glob(f"*{_TEMPORARY}{'[0-9a-f]' * 2 * _TOKEN_BYTES}"))
    mine = [entry for entry in candidates if names is None or entry.name.rpartition(_TEMPORARY)[0] in names]
    return [entry for entry in mine if _remove_if_unlocked(entry)]


def write_text(path: AnyPath, text: str) -> None:
    """Write `text` as UTF-8, whole or not at all."""
    with atomic_write(path) as file:
        file.write(text)


def write_json(path: AnyPath, value: Any) -> None:
    """Write `value` as indented JSON. Raises TypeError or ValueError for what JSON cannot hold (NaN)."""
    write_text(path, json.dumps(value, ensure_ascii=False, allow_nan=False, indent=2) + "\n")


def write_jsonl(path: AnyPath, rows: Iterable[Any]) -> int:
    """Write one JSON value a line, as they come, and return how many. Raises as `write_json` does."""
    count = 0
    with atomic_write(path) as file:
        for row in rows:
            file.write(json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n")
            count += 1
    return count


# --- Reading ------------------------------------------------------------------------------------------


def read_text(path: AnyPath) -> str:
    """The text of a UTF-8 file. Raises InputError if it is missing, a folder, or not UTF-8."""
    with _explained(path):
        return _decode(epath.Path(path).read_bytes(), os.fspath(path))


def read_json(path: AnyPath) -> Any:
    """The value in a JSON file. Raises InputError with the line and the reason."""
    return _parse(read_text(path), path, first_line=1)


def iterate_jsonl(path: AnyPath) -> Iterator[tuple[int, Any]]:
    """Line number and value of every line that is not blank. Raises InputError with line and reason."""
    with _explained(path), epath.Path(path).open("rb") as file:  # bytes: no character but "\n" ends a row
        for number, line in enumerate(file, start=1):
            text = _decode(line, f"{os.fspath(path)}, line {number}").strip()
            if text:
                yield number, _parse(text, path, first_line=number)


def read_jsonl(path: AnyPath) -> list[Any]:
    """All values of a JSONL file. Raises InputError with the line and the reason."""
    return [value for _, value in iterate_jsonl(path)]


def count_lines(path: AnyPath) -> int:
    """Rows of a JSONL file, without reading them. Raises InputError if there is no such file."""
    with _explained(path), epath.Path(path).open("rb") as file:
        return sum(1 for line in file if line.strip())


def whole_lines(path: AnyPath) -> list[str]:
    """The lines of a file that somebody appends to, each with its end; half a line, at work or of a kill, is left out.

    Without such a file there are none.
    """
    if not epath.Path(path).exists():
        return []
    lines = read_text(path).splitlines(keepends=True)
    return [line for line in lines if line.endswith("\n")]


def sha256_of(path: AnyPath) -> str:
    """The SHA-256 of a file's bytes, in hexadecimal digits. Raises InputError if there is no such file."""
    digest = hashlib.sha256()
    with _explained(path), epath.Path(path).open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


# --- Parts --------------------------------------------------------------------------------------------


def _decode(data: bytes, where: str) -> str:
    try:
        return data.decode("utf-8-sig")  # Windows editors put a mark in front
    except UnicodeDecodeError as error:
        raise InputError(f"{where}: not UTF-8 text ({error.reason} at byte {error.start})") from None


def _parse(text: str, path: AnyPath, first_line: int) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        line = first_line + error.lineno - 1
        raise InputError(f"{os.fspath(path)}, line {line}: not valid JSON ({error.msg})") from None
    except (ValueError, RecursionError) as error:  # a number of thousands of digits, brackets without end
        raise InputError(f"{os.fspath(path)}, line {first_line}: not usable JSON ({error})") from None


@contextmanager
def _explained(path: AnyPath) -> Iterator[None]:
    """Turns what a wrong path raises into one sentence."""
    name = os.fspath(path)
    try:
        yield
    except FileNotFoundError:
        raise InputError(f"{name}: no such file") from None
    except IsADirectoryError:
        raise InputError(f"{name}: a folder, where a file is needed") from None
    except PermissionError:
        raise InputError(f"{name}: no permission to read it") from None


def _temporary_name(path: pathlib.Path) -> pathlib.Path:
    return path.with_name(f"{path.name}{_TEMPORARY}{secrets.token_hex(_TOKEN_BYTES)}")


def _open_temporary(path: pathlib.Path, mode: str) -> tuple[pathlib.Path, IO[Any]]:
    """A new, locked file beside `path`."""
    # A model's text may hold half a surrogate pair: "backslashreplace" writes it as JSON's own escape.
    as_text: dict[str, Any] = {"encoding": "utf-8", "newline": "\n", "errors": "backslashreplace"}
    while True:
        temporary = _temporary_name(path)
        file = open(temporary, mode.replace("w", "x") + "+", **(as_text if mode == "w" else {}))  # noqa: SIM115 - handed to the caller
        if _hold(file.fileno()):
            return temporary, file
        file.close()


def _make_temporary_directory(path: pathlib.Path) -> tuple[pathlib.Path, int]:
    """A new folder beside `path` and the descriptor that holds its lock."""
    while True:
        temporary = _temporary_name(path)
        temporary.mkdir()
        lock = os.open(temporary, os.O_RDONLY)
        if _hold(lock):
            return temporary, lock
        os.close(lock)


def _hold(descriptor: int) -> bool:
    """Lock what was just made; False if `remove_stale` was faster and has deleted it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH)  # shared, since network file systems refuse more on a folder
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
    return os.fstat(descriptor).st_nlink > 0


def _remove_if_unlocked(entry: pathlib.Path) -> bool:
    try:
        descriptor = os.open(entry, os.O_RDONLY)
    except FileNotFoundError:  # its writer has just renamed it
        return False
    try:
        if not _is_unlocked(descriptor):
            return False
        if entry.is_dir():
            shutil.rmtree(entry)
        else:
            entry.unlink(missing_ok=True)
        return True
    finally:
        os.close(descriptor)


def _is_unlocked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:  # held by its writer, or no way to know
        return False
    return True


def _refuse_existing(path: pathlib.Path) -> None:
    if path.exists():
        raise FileExistsError(errno.EEXIST, "exists already", str(path))


def _sync(path: pathlib.Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sync_tree(folder: pathlib.Path) -> None:
    """Bring every file below `folder` to the disk before the rename can make it visible."""
    for parent, _, names in os.walk(folder):
        for name in names:
            _sync(pathlib.Path(parent, name))
        _sync(pathlib.Path(parent))
