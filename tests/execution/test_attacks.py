"""Hostile programs, let loose on the executor as root and as an ordinary user, with and without each of the
two layers that hide files.

Each siege is a process of its own (`attacks/siege.py`); a test asks for its complaints about one kind of attack. By
default the stages that this machine can do share the attacks; `-m slow` runs all of them on each.
"""

from __future__ import annotations

import collections
import functools
import json
import os
import secrets
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from tests.execution.attacks.corpus import ATTACKS, KINDS
from tests.execution.attacks.stages import STAGES, Stage, possible
from tests.execution.attacks.surroundings import REPOSITORY, TOKEN_VARIABLE

SIEGE_SECONDS = 900
Complaints = dict[str, dict[str, list[str]]]
Options = Callable[..., dict[str, Any]]


def environment() -> dict[str, str]:
    """With a secret to look for. Home is what the user's entry in the system says."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    token = f"RSTARSECRET-{secrets.token_hex(16)}"
    return {**kept, "PYTHONPATH": str(REPOSITORY), "PYTHONDONTWRITEBYTECODE": "1", TOKEN_VARIABLE: token}


@functools.cache
def siege(stage: Stage, options: tuple[tuple[str, Any], ...], thorough: bool) -> Complaints:
    """Complaints by kind and name of attack."""
    if stage.obstacle:
        pytest.skip(stage.obstacle)
    share = [0, 1] if thorough else [possible().index(stage), len(possible())]
    order = {"kinds": KINDS, "share": share, "thorough": thorough, "options": dict(options)}
    done = subprocess.run(
        [*stage.prefix, sys.executable, "-P", "-m", "tests.execution.attacks.siege", json.dumps(order)],
        cwd="/",
        env=environment(),
        capture_output=True,
        text=True,
        timeout=SIEGE_SECONDS,
    )
    if done.returncode != 0:
        return collections.defaultdict(lambda: {"the siege itself": [done.stderr[-3000:]]})
    complaints: Complaints = collections.defaultdict(dict)
    for title, texts in json.loads(done.stdout).items():
        kind, _, name = title.partition(": ")
        complaints[kind][name] = texts
    return complaints


def test_the_corpus_is_large_and_its_names_differ() -> None:
    attacks = [(attack.kind, attack.name) for kind in KINDS for attack in ATTACKS[kind]]
    assert len(set(attacks)) == len(attacks) > 300


@pytest.mark.parametrize("kind", [*KINDS, "afterwards"])
@pytest.mark.parametrize("stage", STAGES, ids=str)
def test_attacks_are_contained(stage: Stage, kind: str, options_of: Options) -> None:
    options = options_of(left_out=stage.left_out)
    found = siege(stage, tuple(options.items()), thorough=False)[kind]
    assert not any(found.values()), json.dumps(found, indent=1)


@pytest.mark.slow
@pytest.mark.parametrize("kind", [*KINDS, "afterwards"])
@pytest.mark.parametrize("snapshots", [0, None], ids=["uncached", "cached"])
@pytest.mark.parametrize("stage", STAGES, ids=str)
def test_all_attacks_are_contained(stage: Stage, snapshots: int | None, kind: str, options_of: Options) -> None:
    options = options_of(left_out=stage.left_out, snapshots=snapshots)
    found = siege(stage, tuple(options.items()), thorough=True)[kind]
    assert not any(found.values()), json.dumps(found, indent=1)
