"""FLOPs of the matrix products in an optimised XLA program, each as often as it runs."""

from __future__ import annotations

import math
import re

from rstar_jax.ahead_of_time.hlo import Instruction, computations, walk


def matrix_flops(hlo: str) -> float:
    """Two for each multiplication of a matrix product, and what kernels say of themselves.

    Loops count as often as they turn, unlike in XLA's own cost analysis.
    """
    shapes = {one.name: one.shape for body in computations(hlo)[1].values() for one in body}
    return float(sum(times * _flops(one, shapes) for one, times, _ in walk(hlo)))


def _flops(one: Instruction, shapes: dict[str, str]) -> float:
    if one.opcode == "custom-call":
        told = re.search(r'"flops":"?(\d+)', one.rest)
        return float(told[1]) if told else 0.0
    if one.opcode not in ("dot", "convolution"):
        return 0.0
    names = re.findall(r"%([\w.\-]+)", one.rest.split(")")[0])
    left, right, out = (_sides(shape) for shape in (shapes[names[0]], shapes[names[1]], one.shape))
    return 2.0 * (_dot(one, left, out) if one.opcode == "dot" else _convolution(one, left, right, out))


def _sides(shape: str) -> list[int]:
    found = re.match(r"\w+\[([\d,]*)\]", shape)
    if found is None:
        raise ValueError(f"{shape!r} is no shape of an array")
    return [int(side) for side in found[1].split(",") if side]


def _dot(one: Instruction, left: list[int], out: list[int]) -> int:
    axes = re.search(r"lhs_contracting_dims=\{([\d,]*)\}", one.rest)
    return math.prod(out) * math.prod(left[int(axis)] for axis in (axes[1].split(",") if axes else ()) if axis)


def _convolution(one: Instruction, left: list[int], right: list[int], out: list[int]) -> int:
    """Multiplications. TPUs write all products as convolutions, whose windows stand for further axes.

    An axis of a batch is a window too, spread out or padded so that each output meets one place of the input: only
    places that are there count.
    """
    labels = re.search(r"dim_labels=(\w+)_(\w+)->(\w+)", one.rest)
    if labels is None:
        raise ValueError(f"a convolution without labels: {one.rest[:200]}")
    inputs, kernel, outputs = (
        dict(zip(names, sides, strict=True)) for names, sides in zip(labels.groups(), (left, right, out), strict=True)
    )
    places = math.prod(
        _places(inputs[axis], outputs[axis], *_window(one, number))
        for number, axis in enumerate(sorted(label for label in outputs if label.isdecimal()))
    )
    return outputs["b"] * outputs["f"] * kernel["i"] * places


def _window(one: Instruction, axis: int) -> tuple[int, int, int, int, int]:
    """Size, stride, padding before, and how far apart the input's and the window's places are, along an axis."""
    text = re.search(r"window=\{([^}]*)\}", one.rest)
    fields = dict(re.findall(r"(\w+)=([\d_x\-]+)", text[1])) if text else {}

    def field(name: str, default: int) -> int:
        return int(fields[name].split("x")[axis].split("_")[0]) if name in fields else default

    return field("size", 1), field("stride", 1), field("pad", 0), field("lhs_dilate", 1), field("rhs_dilate", 1)


def _places(inputs: int, outputs: int, size: int, stride: int, pad: int, spread: int, apart: int) -> int:
    """Pairs of an output and a place of the window that has an input under it."""
    under = (output * stride + place * apart - pad for output in range(outputs) for place in range(size))
    return sum(place % spread == 0 and 0 <= place // spread < inputs for place in under)
