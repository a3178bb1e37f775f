"""Hostile programs, let loose on the executor as root and as an ordinary user, with and without bubblewrap.

Each siege is a process of its own (`attacks/siege.py`); a test asks for the complaints about one kind of attack.
"""

from __future__ import annotations

import collections
import functools
import json
import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Callable

import pytest

from tests.execution.attacks.corpus import ATTACKS, KINDS
from tests.execution.attacks.surroundings import REPOSITORY, TOKEN_VARIABLE

NOBODY = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
TRIAL = "import subprocess, sys, numpy, rstar_jax.execution; sys.exit(subprocess.call([sys.executable, '-c', '']))"
SIEGE_SECONDS = 600
QUICK = [kind for kind in KINDS if not all(attack.endless for attack in ATTACKS[kind])]
Complaints = dict[str, dict[str, list[str]]]


@functools.cache
def prefix_of(user: str) -> tuple[str, ...]:
    """What a command is to begin with so that it runs as that user; skips where it cannot."""
    if user == "root":
        if os.getuid() != 0:
            pytest.skip("the tests do not run as root")
        return ()
    if os.getuid() != 0:
        return ()
    if shutil.which("setpriv") is None:
        pytest.skip("setpriv is needed to become an ordinary user")
    if subprocess.run([*NOBODY, sys.executable, "-c", TRIAL], cwd="/", env=environment()).returncode != 0:
        pytest.skip(f"an ordinary user cannot run {sys.executable} or read {REPOSITORY}")
    return NOBODY


def environment() -> dict[str, str]:
    """With a secret to look for; a home only for root, since nobody has none."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    token = f"RSTARSECRET-{secrets.token_hex(16)}"
    return {**kept, "PYTHONPATH": str(REPOSITORY), TOKEN_VARIABLE: token, "PYTHONDONTWRITEBYTECODE": "1"}


@functools.cache
def siege(user: str, options: tuple[tuple[str, bool | int], ...], endless: bool, kinds: tuple[str, ...]) -> Complaints:
    """Complaints by kind and name of attack."""
    order = {"kinds": kinds, "endless": endless, "endless_histories": endless, "options": dict(options)}
    command = [sys.executable, "-P", "-m", "tests.execution.attacks.siege", json.dumps(order)]
    done = subprocess.run(
        [*prefix_of(user), *command], cwd="/", env=environment(), capture_output=True, text=True, timeout=SIEGE_SECONDS
    )
    assert done.returncode == 0, done.stderr[-3000:]
    complaints: Complaints = collections.defaultdict(dict)
    for title, texts in json.loads(done.stdout).items():
        kind, _, name = title.partition(": ")
        complaints[kind][name] = texts
    return complaints


def test_the_corpus_is_large_and_its_names_differ() -> None:
    attacks = [(attack.kind, attack.name) for kind in KINDS for attack in ATTACKS[kind]]
    assert len(set(attacks)) == len(attacks) > 300


@pytest.mark.parametrize("kind", [*QUICK, "afterwards"])
@pytest.mark.parametrize("user", ["root", "nobody"])
@pytest.mark.parametrize("layers", ["bubblewrap", "landlock"])
def test_attacks_are_contained(layers: str, user: str, kind: str, options_of: Callable[..., dict]) -> None:
    options = options_of(bubblewrap=layers == "bubblewrap")
    complaints = siege(user, tuple(options.items()), False, tuple(KINDS))
    assert not any(complaints[kind].values()), json.dumps(complaints[kind], indent=1)


@pytest.mark.slow
@pytest.mark.parametrize("kind", [*KINDS, "afterwards"])
@pytest.mark.parametrize("states", [0, None])
@pytest.mark.parametrize("user", ["root", "nobody"])
@pytest.mark.parametrize("layers", ["bubblewrap", "landlock"])
def test_all_attacks_are_contained(
    layers: str, user: str, states: int | None, kind: str, options_of: Callable[..., dict]
) -> None:
    options = options_of(bubblewrap=layers == "bubblewrap", states=states)
    complaints = siege(user, tuple(options.items()), True, tuple(KINDS))
    assert not any(complaints[kind].values()), json.dumps(complaints[kind], indent=1)
