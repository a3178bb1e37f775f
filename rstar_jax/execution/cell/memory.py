"""How much memory a paused process costs."""

from __future__ import annotations

import dataclasses
import os

ASSUMED_BYTES = 4 << 20  # where the kernel does not say
_PAGE = os.sysconf("SC_PAGE_SIZE")
_EVERY = 8
_GROWTH = 8 << 20  # bytes of resident memory more than its template: worth a look


def proportional_bytes(pid: int) -> int | None:
    """PSS: its own pages and its share of those that it shares; None if the kernel does not say."""
    try:
        with open(f"/proc/{pid}/smaps_rollup", "rb") as file:
            for line in file:
                if line.startswith(b"Pss:"):
                    return int(line.split()[1]) << 10
    except OSError:  # it has died, or may not be looked into
        return None
    return None


def resident_bytes(pid: int) -> int | None:
    """RSS, which counts shared pages in full but is quickly read."""
    try:
        with open(f"/proc/{pid}/statm", "rb") as file:
            return int(file.read().split()[1]) * _PAGE
    except OSError:
        return None


@dataclasses.dataclass
class _Template:
    """What is known of the processes that descend from one: its resident bytes, their mean PSS, how many."""

    resident: int
    mean: float = ASSUMED_BYTES
    asked: int = 0


class Estimator:
    """PSS of processes, read from the kernel for one in eight and for those that have grown.

    The kernel walks all pages to tell it (0.06 ms for a bare interpreter, 0.3 ms with SymPy, measured), so the
    others are taken for the mean of those of the same template measured before.
    """

    def __init__(self) -> None:
        self._templates: dict[int, _Template] = {}

    def bytes(self, pid: int, template: int) -> int:
        """Estimated PSS of a process that descends from a template."""
        if template not in self._templates:
            self._templates[template] = _Template(resident_bytes(template) or 0)
        usual = self._templates[template]
        usual.asked += 1
        grown = (resident_bytes(pid) or 0) > usual.resident + _GROWTH
        if not grown and usual.asked % _EVERY != 1:
            return int(usual.mean)
        measured = proportional_bytes(pid)
        if measured is None:
            return int(usual.mean)
        if not grown:
            usual.mean += (measured - usual.mean) / (1 if usual.asked == 1 else _EVERY)
        return measured
