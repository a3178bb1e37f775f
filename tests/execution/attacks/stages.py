"""Under which user and with which layers attacks are tried, and whether this machine can do it."""

from __future__ import annotations

import ctypes
import dataclasses
import functools
import os
import shutil
import subprocess
import sys

from .surroundings import REPOSITORY

NOBODY = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
NAMESPACES = ("bwrap", "--unshare-all", "--ro-bind", "/", "/", "true")
TRIAL = "import subprocess, sys, numpy, rstar_jax.execution; sys.exit(subprocess.call([sys.executable, '-c', '']))"
LANDLOCK_CREATE_RULESET = 444


@dataclasses.dataclass(frozen=True)
class Stage:
    """A user, and the layer that is left out, if any."""

    user: str  # "root" or "nobody"; the latter is the user of the tests when that is not root
    without: str = ""  # "namespaces" or "landlock"

    def __str__(self) -> str:
        return f"{self.user}-without-{self.without}" if self.without else self.user

    @property
    def left_out(self) -> tuple[str, ...]:
        """As the executor's field wants it."""
        return (self.without,) if self.without else ()

    @property
    def prefix(self) -> tuple[str, ...]:
        """What a command has to begin with."""
        return NOBODY if self.user == "nobody" and os.getuid() == 0 else ()

    @functools.cached_property
    def obstacle(self) -> str:
        """Why this machine cannot do it, or "" if it can."""
        if self.user == "root" and os.getuid() != 0:
            return "the tests do not run as root"
        if self.prefix and shutil.which("setpriv") is None:
            return "setpriv is needed to become an ordinary user"
        if self.prefix and not _succeeds(*self.prefix, sys.executable, "-c", TRIAL):
            return f"an ordinary user cannot run {sys.executable} or read {REPOSITORY}"
        if self.without != "namespaces" and not (shutil.which("bwrap") and _succeeds(*self.prefix, *NAMESPACES)):
            return "bubblewrap is not installed, or this user may not have namespaces"
        if self.without != "landlock" and ctypes.CDLL(None).syscall(LANDLOCK_CREATE_RULESET, None, 0, 1) < 1:
            return "the kernel has no Landlock"
        return ""


STAGES = [Stage(user, without) for user in ("root", "nobody") for without in ("", "namespaces", "landlock")]


@functools.cache
def possible() -> list[Stage]:
    """The stages that this machine can do."""
    return [stage for stage in STAGES if not stage.obstacle]


def _succeeds(*command: str) -> bool:
    environment = {"PATH": os.environ.get("PATH", ""), "PYTHONPATH": str(REPOSITORY)}
    return subprocess.run(command, cwd="/", env=environment, capture_output=True).returncode == 0
