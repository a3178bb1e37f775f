"""What stands between model-written code and this machine, as a cell has found it at its start."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Mapping

from rstar_jax.errors import InputError

from .cell.sandbox.layers import LAYERS

log = logging.getLogger(__name__)


class SandboxMissing(InputError):
    """`require_sandbox` is set and the sandbox has a hole."""


@dataclasses.dataclass(frozen=True)
class Layer:
    """One layer. `reason`: why it is missing, or "" if it is active. `meaning`: what its absence means."""

    name: str
    meaning: str
    reason: str = ""

    @property
    def active(self) -> bool:
        return not self.reason


@dataclasses.dataclass(frozen=True)
class SandboxReport:
    """All layers, outermost first."""

    layers: tuple[Layer, ...]

    @classmethod
    def from_missing(cls, missing: Mapping[str, str]) -> SandboxReport:
        """From the names of the missing layers, with the reasons."""
        return cls(tuple(Layer(name, meaning, missing.get(name, "")) for name, meaning in LAYERS.items()))

    @property
    def active(self) -> tuple[str, ...]:
        return tuple(layer.name for layer in self.layers if layer.active)

    @property
    def holes(self) -> tuple[str, ...]:
        """What model-written code could do that it must not. Empty: the sandbox holds.

        Namespaces and Landlock stand in for each other; with one of them the other only adds depth.
        """
        active, holes = self.active, []
        if "seccomp" not in active:
            holes.append("system calls are not filtered")
        elif "fork guard" not in active:
            holes.append("processes can be started")
        if "landlock" not in active and "namespaces" not in active:
            holes.append("files outside the interpreter can be read")
        if "user" not in active:
            holes.append("it runs as root")
        return tuple(holes)

    def describe(self) -> str:
        """One line for each missing layer after one that names the active ones."""
        lines = [f"Sandbox of the executor: {', '.join(self.active) or 'nothing'}."]
        lines += [f"  without {x.name} ({x.reason}): {x.meaning}" for x in self.layers if not x.active]
        return "\n".join(lines)

    def check(self, required: bool) -> None:
        """Log the report. Raises SandboxMissing if the sandbox is required and has a hole."""
        if required and self.holes:
            raise SandboxMissing(
                f"The executor refuses to run model-written code, as its sandbox would have a hole here: "
                f"{'; '.join(self.holes)}."
            )
        log.log(logging.WARNING if self.holes else logging.INFO, self.describe())
