"""Reads the text of an optimised XLA program: which collectives it runs, how often, and on how many bytes.

XLA's own cost analysis runs the body of a loop once. Here an instruction counts as often as the loops around it turn:
the compiler knows for most loops how often that is; of others, the bound that their condition compares with is taken.

    computations    text -> the instructions of each computation
    walk            from the entry through calls, fusions and loops, with the number of turns
    collectives     what is communicated
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Iterator

import numpy as np

KINDS = (
    "all-gather",
    "all-reduce",
    "reduce-scatter",
    "all-to-all",
    "ragged-all-to-all",
    "collective-permute",
    "collective-broadcast",
)
_TPU_REDUCE_SCATTER = "all-reduce-scatter"  # what TPUs call a fusion of an all-reduce and a slice of it
_BITS = {"pred": 8, "s4": 4, "u4": 4, "bf16": 16, "f8e4m3fn": 8, "f8e5m2": 8} | {
    f"{letter}{bits}": bits for letter in "suf" for bits in (8, 16, 32, 64)
}


@dataclasses.dataclass(frozen=True)
class Instruction:
    """`%name = shape opcode(operands), attributes`. rest: all that follows the opcode."""

    name: str
    shape: str
    opcode: str
    rest: str

    @property
    def op_name(self) -> str:
        """Where in the Python program it comes from, as JAX names it; empty where XLA made it."""
        found = re.search(r'op_name="([^"]*)"', self.rest)
        return found[1] if found else ""


Computations = dict[str, list[Instruction]]


@dataclasses.dataclass(frozen=True)
class Collective:
    """One array that is communicated.

    elements, bytes: of the whole array: what a gather gives, what a scatter takes, what a reduction does both with.
    group: the partitions that exchange it, as far as the first of such groups shows; empty where the text has none.
    times: how often it runs in one run of the program.
    """

    kind: str
    elements: int
    bytes: int
    group: tuple[int, ...]
    times: int
    source: str

    @property
    def wire_bytes(self) -> float:
        """What comes into each chip each time, over a ring."""
        others = (len(self.group) - 1) / max(len(self.group), 1)
        if self.kind == "collective-permute":
            return self.bytes
        return self.bytes * others * (2 if self.kind == "all-reduce" else 1)


def computations(hlo: str) -> tuple[str, Computations]:
    """The name of the entry, and the instructions of all computations."""
    entry, found, current = "", {}, None
    for line in hlo.splitlines():
        begin = re.match(r"(ENTRY )?%?([\w.\-]+) \(.*\{\s*$", line)
        if begin:
            current = found[begin[2]] = []
            entry = begin[2] if begin[1] else entry
        elif current is not None and (instruction := _instruction(line)):
            current.append(instruction)
    if not entry:
        raise ValueError("this is no text of an XLA program: it has no ENTRY")
    return entry, found


def _instruction(line: str) -> Instruction | None:
    begin = re.match(r"\s+(?:ROOT )?%?([\w.\-]+) = ", line)
    if begin is None:
        return None
    text = line[begin.end() :]
    end = _closing(text) + 1 if text.startswith("(") else text.find(" ")
    opcode = re.match(r"\s*([\w\-]+)\(", text[end:])
    return None if opcode is None else Instruction(begin[1], text[:end], opcode[1], text[end + opcode.end() :])


def _closing(text: str) -> int:
    """Where the parenthesis closes that `text` begins with."""
    depth = 0
    for place, letter in enumerate(text):
        depth += (letter == "(") - (letter == ")")
        if not depth:
            return place
    raise ValueError(f"no end of {text[:80]!r}")


def walk(hlo: str) -> Iterator[tuple[Instruction, int, str]]:
    """Every instruction that runs, the number of times, and the computation that it is part of.

    All branches of a condition count.
    """
    entry, known = computations(hlo)

    def visit(name: str, times: int) -> Iterator[tuple[Instruction, int, str]]:
        for instruction in known[name]:
            yield instruction, times, name
            turns = trip_count(instruction, known) if instruction.opcode == "while" else 1
            for callee in _callees(instruction):
                yield from visit(callee, times * turns)

    yield from visit(entry, 1)


def _callees(instruction: Instruction) -> list[str]:
    """What an instruction runs, functions for single elements aside, which communicate nothing."""
    if instruction.opcode.endswith(("-done", "-update")):  # what its beginning has counted
        return []
    names = r"body|condition|calls|true_computation|false_computation"
    if instruction.opcode == "call":
        names += "|to_apply"
    found = re.findall(rf"\b(?:{names})=%?([\w.\-]+)", instruction.rest)
    branches = re.search(r"branch_computations=\{([^}]*)\}", instruction.rest)
    return found + (re.findall(r"[\w.\-]+", branches[1]) if branches else [])


def trip_count(loop: Instruction, known: Computations) -> int:
    """Turns of a loop, or the largest constant that its condition compares with, or 1."""
    told = re.search(r'"known_trip_count":\{"n":"(\d+)"\}', loop.rest)
    if told:
        return int(told[1])
    condition = re.search(r"condition=%?([\w.\-]+)", loop.rest)
    compared = known[condition[1]] if condition else []
    numbers = (re.match(r"(\d+)\)", one.rest) for one in compared if one.opcode == "constant")
    return max((int(number[1]) for number in numbers if number), default=1)


def collectives(hlo: str) -> list[Collective]:
    """What a program communicates; instructions that are alike are one, with the sum of their times.

    TPUs spread a collective over several fusions, to run beside other work; its channel tells that it is one.
    """
    found: dict[Collective, int] = {}
    channels: set[str] = set()
    for instruction, times, computation in walk(hlo):
        kind = instruction.opcode.removesuffix("-start")
        if kind not in KINDS:
            continue
        channel = re.search(r"channel_id=(\d+)", instruction.rest)
        if channel and channel[1] in channels:
            continue
        channels.update(channel.groups() if channel else ())
        group = first_group(instruction.rest)
        gives_a_part = kind == "reduce-scatter"
        kind = "reduce-scatter" if computation.startswith(_TPU_REDUCE_SCATTER) else kind
        for dtype, elements in _arrays(instruction):
            whole = elements * len(group) if gives_a_part else elements
            one = Collective(kind, whole, whole * _BITS.get(dtype, 32) // 8, group, 0, instruction.op_name)
            found[one] = found.get(one, 0) + times
    return [dataclasses.replace(one, times=times) for one, times in found.items()]


def _arrays(instruction: Instruction) -> list[tuple[str, int]]:
    """(dtype, elements) of the arrays that a collective gives."""
    shape = instruction.shape
    if instruction.opcode in ("all-gather-start", "collective-permute-start"):  # (operands, results, …)
        shape = _parts(shape)[1]
    arrays = re.findall(r"(\w+)\[([\d,]*)\]", shape)
    return [(dtype, math.prod(int(side) for side in sides.split(",") if side)) for dtype, sides in arrays]


def _parts(shape: str) -> list[str]:
    """The shapes of a tuple."""
    parts, depth, start = [], 0, 1
    for place, letter in enumerate(shape):
        if letter in "([{":
            depth += 1
        elif letter in ")]}":
            depth -= 1
        if (letter == "," and depth == 1) or depth == 0:
            parts.append(shape[start:place].strip())
            start = place + 1
    return parts


def first_group(attributes: str) -> tuple[int, ...]:
    """The first of the groups of partitions that exchange something, in any of the forms that XLA writes."""
    pairs = re.search(r"source_target_pairs=\{\{(\d+),(\d+)\}", attributes)
    if pairs:
        return int(pairs[1]), int(pairs[2])
    listed = re.search(r"replica_groups=\{\{([\d,]+)\}", attributes)
    if listed:
        return tuple(_numbers(listed[1]))
    iota = re.search(r"replica_groups=\[(\d+),(\d+)\]<=\[([\d,]+)\](?:T\(([\d,]+)\))?", attributes)
    if iota:
        return tuple(_ids(iota[3], iota[4]).reshape(int(iota[1]), int(iota[2]))[0].tolist())
    mesh = re.search(
        r"replica_groups=mesh\[([^\]]*)\](?:, device_ids=\(\[([\d,]+)\](?:T\(([\d,]+)\))?\))? \{([^}]*)\}", attributes
    )
    return _mesh_group(mesh[1], mesh[4], mesh[2], mesh[3]) if mesh else ()


def _mesh_group(axes: str, used: str, sides: str | None, order: str | None) -> tuple[int, ...]:
    """axes: 'a'=4,'b'=2; used: 'a','b':(1)2, of which the latter is a part of b: `before` as many, `size` of them."""
    sizes = {name: int(size) for name, size in re.findall(r"'(\w+)'=(\d+)", axes)}
    ids = _ids(sides or str(math.prod(sizes.values())), order).reshape(list(sizes.values()))
    parts = {name: (before, size) for name, before, size in re.findall(r"'(\w+)'(?::\((\d+)\)(\d+))?", used)}

    def places(name: str) -> slice:
        before, size = parts.get(name, ("1", "1"))
        whole = int(size) if size else sizes[name]
        step = sizes[name] // (int(before) * whole) if size else 1
        return slice(0, whole * step, step)

    return tuple(ids[tuple(places(name) for name in sizes)].reshape(-1).tolist())


def _ids(sides: str, order: str | None) -> np.ndarray:
    ids = np.arange(math.prod(_numbers(sides))).reshape(_numbers(sides))
    return ids.transpose(_numbers(order)) if order else ids


def _numbers(text: str) -> list[int]:
    return [int(one) for one in text.split(",")]
