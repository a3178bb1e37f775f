"""A small assembler for seccomp filters: rules on a system call's number and arguments, to BPF bytes.

Self-written because libseccomp's own Python binding cannot be installed by pip, the ctypes one that can
(pyseccomp) needs a libseccomp.so that minimal images lack, and a filter that only compares numbers is a list of
"if equal, return" (seccomp(2), `struct seccomp_data`).
"""

from __future__ import annotations

import dataclasses
import struct
from collections.abc import Sequence

ALLOW = 0x7FFF0000
NOTIFY = 0x7FC00000
KILL_PROCESS = 0x80000000
_ERRNO = 0x00050000
_LOAD, _AND, _IF_EQUAL, _IF_AT_LEAST, _RETURN = 0x20, 0x54, 0x15, 0x35, 0x06
_NUMBER, _ARCH, _ARGUMENTS = 0, 4, 16  # offsets in struct seccomp_data
_X32_BIT = 0x40000000  # marks the calls of x86-64's second, 32-bit ABI
_WORD = 0xFFFFFFFF
Instruction = tuple[int, int, int, int]  # code, jump if true, jump if false, operand


def errno(number: int) -> int:
    """The action that fails the call with this errno."""
    return _ERRNO | number


@dataclasses.dataclass(frozen=True)
class Test:
    """Whether an argument, masked, has a value. By default all of its 64 bits count."""

    __test__ = False  # not for pytest

    argument: int
    value: int
    mask: int = (1 << 64) - 1


@dataclasses.dataclass(frozen=True)
class Rule:
    """What to do about a system call whose arguments pass all tests; the first rule that fits decides."""

    number: int
    action: int = ALLOW
    tests: tuple[Test, ...] = ()


def assemble(arch: int, rules: Sequence[Rule], default: int) -> bytes:
    """The filter's `struct sock_filter` array. A call of another architecture's ABI ends the process."""
    program: list[Instruction] = [
        (_LOAD, 0, 0, _ARCH),
        (_IF_EQUAL, 1, 0, arch),
        (_RETURN, 0, 0, KILL_PROCESS),
        (_LOAD, 0, 0, _NUMBER),
        (_IF_AT_LEAST, 0, 1, _X32_BIT),
        (_RETURN, 0, 0, errno(1)),
    ]
    for rule in rules:
        program += _rule(rule)
    program.append((_RETURN, 0, 0, default))
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in program)


def _rule(rule: Rule) -> list[Instruction]:
    """Comparisons, each of which leaves the rule when it fails; then the action."""
    steps: list[tuple[int, int, int]] = [(_NUMBER, _WORD, rule.number)]  # offset, mask, value
    for test in rule.tests:
        offset = _ARGUMENTS + 8 * test.argument
        for half, shift in ((0, 0), (4, 32)):  # both machines are little-endian
            mask = test.mask >> shift & _WORD
            if mask:
                steps.append((offset + half, mask, test.value >> shift & mask))
    body: list[Instruction] = [(_RETURN, 0, 0, rule.action)]
    for offset, mask, value in reversed(steps):
        masking = [(_AND, 0, 0, mask)] if mask != _WORD else []
        body = [(_LOAD, 0, 0, offset), *masking, (_IF_EQUAL, 0, len(body), value), *body]
    return body
