"""Starts a cell's process: a clean interpreter, inside namespaces of its own where bubblewrap can make them."""

from __future__ import annotations

import dataclasses
import functools
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from .cell.node import Settings
from .cell.sandbox import landlock, layers

# The cell's package is found under its short name, in a folder that programs are not to import from.
BOOTSTRAP = "import sys; sys.path[:0] = sys.argv[1:2]; from cell.main import main; del sys.path[0]; main()"
ENVIRONMENT = {
    "PYTHONHASHSEED": "0",
    "LANG": "C.UTF-8",
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
}
_PACKAGE = Path(__file__).parent
_PROBE_SECONDS = 10.0
_UNSHARE = ("--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try")
# Root without a user namespace: the cell changes its user itself and needs the rights to do so until then.
_AS_ROOT = ("--cap-drop", "ALL", "--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID")
_AS_ROOT += ("--cap-add", "CAP_DAC_READ_SEARCH")


def start(fd: int, settings: Settings) -> tuple[subprocess.Popen[bytes], str]:
    """Start a cell that inherits `fd` and nothing else of ours; with it, why it has no namespaces, or "".

    It is started from the calling thread, with whose end it dies.
    """
    wrap, reason = ((), "left out") if "namespaces" in settings.left_out else namespaces(settings.left_out)
    parent = 0 if wrap else os.getpid()
    arguments = [str(_PACKAGE), str(fd), str(parent), json.dumps(dataclasses.asdict(settings))]
    process = subprocess.Popen(
        [*wrap, *_python(), BOOTSTRAP, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        env=ENVIRONMENT,
        cwd="/",
        pass_fds=(fd,),
        start_new_session=True,  # Ctrl-C is for the pool to handle
    )
    return process, reason


@functools.cache
def namespaces(left_out: Sequence[str]) -> tuple[tuple[str, ...], str]:
    """The command that runs another inside namespaces, and ""; or (), and why there is none.

    Tried out once. /proc is mounted only where Landlock keeps model-written code from it; the supervisor
    reads there how much memory a process uses.
    """
    program = shutil.which("bwrap")
    if program is None:
        return (), "bubblewrap (bwrap) is not installed"
    may_see_proc = "landlock" not in left_out and landlock.version() > 0
    reason = ""
    for user in [_AS_ROOT, ("--unshare-user",)] if os.geteuid() == 0 else [("--unshare-user",)]:
        for proc in [("--proc", "/proc"), ()] if may_see_proc else [()]:
            wrap = (program, "--die-with-parent", *_UNSHARE, *user, *_view(), *proc, "--")
            reason = _try_out([*wrap, *_python(), "pass"])
            if not reason:
                return wrap, ""
    return (), f"bubblewrap cannot make them here ({reason})"


def _python() -> tuple[str, ...]:
    return (sys.executable, "-s", "-P", "-B", "-c")


def _view() -> list[str]:
    """The file system of a cell: what an interpreter needs to start and import, read-only."""
    own = [sys.executable, os.path.realpath(sys.executable), os.path.join(sys.prefix, "pyvenv.cfg")]
    elsewhere = ("/dev/", "/etc/")  # /dev has its own option; without the linker's cache its usual folders do
    paths = [path for path in layers.readable_paths() if not path.startswith(elsewhere)]
    view = ["--dev", "/dev"]
    for path in (*paths, *own, str(_PACKAGE)):
        view += ["--ro-bind-try", path, path]
    return view


def _try_out(command: Sequence[str]) -> str:
    """Run a command; "" if it worked, else the last line that it wrote about that."""
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, env=ENVIRONMENT, timeout=_PROBE_SECONDS
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    lines = done.stderr.decode(errors="replace").strip().splitlines()
    return "" if done.returncode == 0 else (lines or [f"exit status {done.returncode}"])[-1]
