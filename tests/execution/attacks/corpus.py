"""The attack programs: text files, one per kind; "# ---- name" begins a program, "# ---- name -> outcome" says
what must become of it.

A program shows by the word ESCAPED, or by a secret in its output, that it has got through. What it changes outside
is seen from outside. Names with a dollar are filled in, see `surroundings`.
"""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

FOLDER = Path(__file__).parent
PRELUDE = (FOLDER / "prelude.txt").read_text()
_HEADER = re.compile(r"^# ---- (.+)\n", re.MULTILINE)


@dataclasses.dataclass(frozen=True)
class Attack:
    """One hostile program."""

    kind: str
    name: str
    code: str
    outcome: str = ""  # "timeout", or "" for any

    @property
    def endless(self) -> bool:
        """Whether it costs a whole time limit."""
        return self.outcome == "timeout"


def read(path: Path) -> list[Attack]:
    """The attacks of one file."""
    _, *pieces = _HEADER.split(path.read_text())
    attacks = []
    for header, code in zip(pieces[::2], pieces[1::2], strict=True):
        name, _, outcome = header.partition(" -> ")
        attacks.append(Attack(path.stem, name, code, outcome))
    return attacks


KINDS = sorted(path.stem for path in FOLDER.glob("*.txt") if path.stem != "prelude")
ATTACKS = {kind: read(FOLDER / f"{kind}.txt") for kind in KINDS}
