"""TPU chips as published, and the slices that they are sold in.

From the pages "TPU v4", "TPU v5e", "TPU v5p" and "TPU v6e" of docs.cloud.google.com/tpu/docs. They give the links'
bandwidth of both directions together; here it is that of one.
"""

from __future__ import annotations

import dataclasses
import math

from rstar_jax.errors import InputError
from rstar_jax.training.devices import PEAK_FLOPS


@dataclasses.dataclass(frozen=True)
class Chip:
    """flops: peak of bfloat16 in FLOP/s; hbm_bandwidth: bytes/s; ici_bandwidth: bytes/s into a chip over all links.

    wraps: the side of a slice from which on its links close to a ring.
    """

    hbm_bytes: int
    flops: float
    hbm_bandwidth: float
    ici_bandwidth: float
    wraps: int


_GIB = 2**30
CHIPS = {
    "v4": Chip(32 * _GIB, PEAK_FLOPS["TPU v4"], 1228e9, 300e9, 4),
    "v5e": Chip(16 * _GIB, PEAK_FLOPS["TPU v5e"], 819e9, 200e9, 16),
    "v5p": Chip(95 * _GIB, PEAK_FLOPS["TPU v5p"], 2765e9, 600e9, 4),
    "v6e": Chip(32 * _GIB, PEAK_FLOPS["TPU v6e"], 1638e9, 400e9, 16),
}
_FLAT = {4: "2x2", 8: "2x4", 16: "4x4", 32: "4x8", 64: "8x8", 128: "8x16", 256: "16x16"}
_CUBES = {8: "2x2x1", 16: "2x2x2", 32: "2x2x4", 64: "2x4x4", 128: "4x4x4", 256: "4x4x8", 512: "4x8x8", 1024: "8x8x8"}
SLICES = {  # as they are ordered. v4 and v5p are counted in cores, of which a chip has two
    **{f"{chip}-{n}": f"{chip}:{shape}" for chip in ("v5e", "v6e") for n, shape in _FLAT.items()},
    **{f"{chip}-{n}": f"{chip}:{shape}" for chip in ("v4", "v5p") for n, shape in _CUBES.items()},
}


@dataclasses.dataclass(frozen=True)
class Slice:
    """Chips that are connected: "v5p:4x4x4"."""

    kind: str
    shape: tuple[int, ...]

    @property
    def name(self) -> str:
        """What libtpu calls it."""
        return f"{self.kind}:{'x'.join(map(str, self.shape))}"

    @property
    def chip(self) -> Chip:
        return CHIPS[self.kind]

    @property
    def n_chips(self) -> int:
        return math.prod(self.shape)

    @property
    def wrap(self) -> tuple[bool, bool, bool]:
        """Whether the ends of each dimension are connected, which libtpu has to be told.

        If they are not, it has no gather over all three dimensions of a cube, and sums what was not there with zeros.
        """
        x, y, z = (side >= self.chip.wraps for side in (*self.shape, 1, 1)[:3])
        return x, y, z

    def ici_bandwidth(self, group: int) -> float:
        """Bytes/s that come into a chip while `group` chips exchange something, at best.

        A group has as many of the slice's dimensions to itself as its size asks for; a dimension whose ends are not
        connected gives half.
        """
        sides = sorted((side for side in self.shape if side > 1), reverse=True)
        if group < 2 or not sides:
            return math.inf
        used = max(1, round(len(sides) * math.log(group) / math.log(self.n_chips)))
        links = self.chip.ici_bandwidth / len(self.shape)
        return sum(links if side >= self.chip.wraps else links / 2 for side in sides[:used])


def parse_slice(name: str) -> Slice:
    """The slice "v5p:4x4x4", or "v5p-128" as it is ordered.

    Raises:
      InputError: there is no such kind of chip, or the name has another form.
    """
    kind, _, shape = SLICES.get(name, name).partition(":")
    sides = shape.split("x")
    if kind not in CHIPS or not all(side.isdecimal() and int(side) for side in sides):
        raise InputError(f"{name!r} is no topology of {', '.join(CHIPS)}, such as v5p:4x4x4 or {', '.join(SLICES)}")
    return Slice(kind, tuple(map(int, sides)))
